//! What people and configurations write: what is parsed is printed as it was, and what is made can be printed and parsed.

use agent_envelope::budget::negotiation::Refusal;
use agent_envelope::budget::{Amounts, Dimension, DimensionKind, Terms, share};
use agent_envelope::{
    AgentId, Digest, Error, Kind, Permission, Resource, Scope, Subjects, Timestamp, TrustAnchor,
};
use arbitrary::Unstructured;

pub(crate) fn run(data: &[u8]) {
    let Some((form, data)) = data.split_first() else { return };
    match form % 6 {
        0 => agent(data),
        1 => resource(data),
        2 => scopes(data),
        3 => numbers(data),
        4 => amounts(data),
        _ => anchor(data),
    }
}

fn agent(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        match text.parse::<AgentId>() {
            Ok(agent) => assert_eq!(agent.to_string(), text),
            Err(error) => super::refused(&error, data),
        }
    }
    if let Some(bytes) = data.first_chunk::<32>()
        && let Ok(agent) = AgentId::from_bytes(*bytes)
    {
        assert_eq!(agent.as_bytes(), bytes);
        assert_eq!(agent.to_string().parse(), Ok(agent));
        assert_eq!(format!("{agent:?}"), format!("AgentId({agent})"));
    }
    if let Some(bytes) = data.first_chunk::<32>() {
        let text = Digest::from_bytes(*bytes).to_string();
        let back = (0..32).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16));
        assert!(back.eq(bytes.iter().map(|byte| Ok(*byte))));
    }
}

fn is_segment(text: &str) -> bool {
    let allowed = |char: char| char.is_ascii_alphanumeric() || "._~:@+-".contains(char);
    (1..=64).contains(&text.len()) && text.chars().all(allowed) && text != "." && text != ".."
}

fn resource(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let segments: Vec<_> = if text.is_empty() { vec![] } else { text.split('/').collect() };
    let valid = segments.len() <= 16 && segments.iter().all(|segment| is_segment(segment));
    match text.parse::<Resource>() {
        Ok(resource) => {
            assert!(valid);
            assert_eq!(resource.to_string(), text);
            assert!(resource.segments().eq(segments));
        }
        Err(Error::InvalidValue { offset, .. }) => {
            assert!(!valid);
            let segment = text[offset..].split('/').next().unwrap_or_default();
            assert!(!is_segment(segment) && (offset == 0 || data[offset - 1] == b'/'));
        }
        Err(error) => assert!(matches!(error, Error::LimitExceeded { .. }) && !valid, "{error}"),
    }
}

/// Reads text of few letters, so that texts meet.
fn word<'d>(input: &mut Unstructured<'d>) -> Option<&'d str> {
    let length = usize::from(input.arbitrary::<u8>().ok()? % 8);
    std::str::from_utf8(input.bytes(length.min(input.len())).ok()?).ok()
}

fn permission(input: &mut Unstructured<'_>) -> Option<Permission> {
    let shape = input.arbitrary::<u8>().ok()?;
    let actions = (0..shape % 4).map(|_| word(input)).collect::<Option<Vec<_>>>()?;
    let segments = (0..shape / 4 % 4).map(|_| word(input)).collect::<Option<Vec<_>>>()?;
    let resource = segments.join("/").parse().ok()?;
    let is_action = |action: &&str| {
        let allowed =
            |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || "._-".contains(char);
        !action.is_empty() && action.chars().all(allowed)
    };
    let made = Permission::new(actions.iter().copied(), &resource);
    assert_eq!(made.is_ok(), !actions.is_empty() && actions.iter().all(is_action));
    let made = made.ok()?;
    assert_eq!(made.resource(), resource);
    assert!(actions.iter().all(|action| made.actions().any(|one| one == *action)));
    assert_eq!(Permission::new(made.actions(), &resource).as_ref(), Ok(&made));
    Some(made)
}

fn scope(input: &mut Unstructured<'_>) -> Option<Scope> {
    let count = input.arbitrary::<u8>().ok()? % 4 + 1;
    let permissions = (0..count).map(|_| permission(input)).collect::<Option<Vec<_>>>()?;
    let scope = Scope::new(permissions.iter().cloned()).expect("one permission at least");
    assert!(permissions.iter().all(|one| scope.permissions().any(|other| other == *one)));
    assert_eq!(Scope::new(scope.permissions()).as_ref(), Ok(&scope));
    let texts: Vec<_> = scope.permissions().map(|one| one.to_string()).collect();
    assert_eq!(scope.to_string(), texts.join("; "));
    Some(scope)
}

/// Whether a scope grants this, by its definition.
fn grants(scope: &Scope, action: &str, resource: &Resource) -> bool {
    scope.permissions().any(|permission| {
        let (prefix, path) = (permission.resource(), resource.to_string());
        let below = path.strip_prefix(&prefix.to_string());
        let prefixes = prefix == Resource::everything()
            || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        prefixes && permission.actions().any(|one| one == action)
    })
}

fn scopes(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let (Some(one), Some(other)) = (scope(&mut input), scope(&mut input)) else { return };
    // A scope lies within another if that grants each action of each of its permissions at the top of what it covers.
    let within = one.permissions().all(|permission| {
        let top = permission.resource();
        permission.actions().all(|action| {
            assert!(one.allows(action, &top));
            assert_eq!(other.allows(action, &top), grants(&other, action, &top));
            grants(&other, action, &top)
        })
    });
    assert_eq!(one.is_within(&other), within, "{one} within {other}");
    assert!(one.is_within(&one));
    let both = Scope::new(one.permissions().chain(other.permissions())).expect("few permissions");
    assert!(one.is_within(&both) && other.is_within(&both));
    assert_eq!(both.is_within(&other), within);
}

fn numbers(data: &[u8]) {
    let Some(bytes) = data.first_chunk() else { return };
    let number = u64::from_be_bytes(*bytes);
    let max = (1 << 53) - 1;
    let time = Timestamp::from_unix_seconds(number);
    assert_eq!(time.as_unix_seconds(), number.min(max));
    assert_eq!(time.to_string().parse(), Ok(number.min(max)));
    match Kind::from_number(number) {
        Some(kind) => {
            assert_eq!(kind.number(), number);
            assert!(number < 64 || (65_536..=max).contains(&number));
            assert!(!kind.to_string().is_empty());
        }
        None => assert!((64..65_536).contains(&number) || number > max),
    }
    if let Some(refusal) = Refusal::from_number(number) {
        assert_eq!(refusal.number(), number);
    }
    match Dimension::from_id(number) {
        Ok(dimension) => {
            assert_eq!(dimension.id(), number);
            assert_eq!(dimension.number(), number >> 2);
            assert_eq!(dimension.is_ceiling(), number & 1 != 0);
            assert_eq!(dimension.is_advisory(), number & 2 != 0);
            assert!(dimension.advisory().is_advisory() && dimension.advisory().id() == number | 2);
            if let Ok(private) = Dimension::private(number >> 2, dimension.kind()) {
                assert_eq!(private.id(), number & !2);
                assert!(private.name().is_none() && number >= 1 << 22);
            }
            assert!(!dimension.to_string().is_empty());
        }
        Err(_) => assert!(number > max),
    }
    let kind = DimensionKind::Consumable;
    assert_eq!(Dimension::private(number, kind).is_ok(), (1 << 20..1 << 51).contains(&number));
}

fn some_amounts(input: &mut Unstructured<'_>) -> Option<Amounts> {
    let count = input.arbitrary::<u8>().ok()? % 5;
    let mut amounts = Amounts::new();
    for _ in 0..count {
        let id = match input.arbitrary::<u8>().ok()? {
            255 => input.arbitrary::<u64>().ok()?,
            id => u64::from(id),
        };
        let dimension = Dimension::from_id(id).ok()?;
        let amount = match input.arbitrary::<u8>().ok()? {
            byte @ 0..250 => u64::from(byte),
            _ => input.arbitrary::<u64>().ok()?,
        };
        amounts = match input.arbitrary::<u8>().ok()? % 4 {
            0 => amounts.with_unit(dimension, amount, word(input)?),
            1 => amounts.with_unit(dimension, amount, "USD:6"),
            _ => amounts.with(dimension, amount),
        }
        .ok()?;
    }
    assert!(!amounts.to_string().is_empty());
    Some(amounts)
}

fn amounts(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let (Some(one), Some(other)) = (some_amounts(&mut input), some_amounts(&mut input)) else {
        return;
    };
    let again = one.iter().try_fold(Amounts::new(), |amounts, amount| match amount.unit() {
        Some(unit) => amounts.with_unit(amount.dimension(), amount.value(), unit),
        None => amounts.with(amount.dimension(), amount.value()),
    });
    assert_eq!(again.as_ref(), Ok(&one));
    if let Ok(meet) = one.meet(&other) {
        assert!(meet.le(&one) && meet.le(&other));
        assert_eq!(one.le(&other), meet == one);
        assert_eq!(other.meet(&one), Ok(meet));
    }
    if let Ok(sum) = one.checked_add(&other) {
        assert_eq!(sum.checked_sub(&other).as_ref(), Ok(&one));
    }
    if let Ok(rest) = one.checked_sub(&other) {
        assert_eq!(rest.checked_add(&other).as_ref(), Ok(&one));
    }
    let weights: Vec<u64> = (0..3).filter_map(|_| input.arbitrary().ok()).collect();
    if let Ok(shares) = one.share(&weights) {
        let sum = shares.iter().try_fold(Amounts::new(), |sum, share| sum.checked_add(share));
        assert_eq!(sum, Ok(one.consumables()));
    }
    if let Some(total) = weights.first()
        && let Ok(shares) = share(*total, &weights)
    {
        assert_eq!(shares.iter().copied().map(u128::from).sum::<u128>(), u128::from(*total));
    }
    let _ = Terms::new(one, Timestamp::MAX, 0).to_string();
}

fn anchor(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let key = crate::support::identity(1).id();
    let scope = crate::support::scope(&[(&["do"], "")]);
    let anchor = TrustAnchor::new(key, text, Subjects::only([text]), scope);
    let valid = (1..=256).contains(&text.len()) && !text.chars().any(char::is_control);
    match anchor {
        Ok(anchor) => assert!(valid && anchor.issuer() == text),
        Err(error) => assert!(!valid, "{text:?}: {error}"),
    }
}
