//! Shows what an envelope says about itself, and how much of that is verified.
//!
//! ```text
//! cargo run --example inspect [FILE | -] [--anchor did:key:…] [--now SECONDS] [--write FILE]
//! ```
//!
//! A file holds an envelope's bytes, or their hex digits; `-` reads standard input. Without either, the example makes an
//! envelope of its own, which `--write` keeps, to damage and inspect. `--anchor` trusts a key for whatever chains it
//! begins; without one nobody is trusted, and authority stays a claim. Nothing sealed is opened.

use agent_envelope::{
    AgentId, BodyClaim, ChainStatus, DelegationChain, Draft, Entropy, Envelope, Error, Grant,
    Identity, Inbox, Kind, Limits, Narrow, NewElement, Observer, Outline, Permission, Place,
    Resource, Revocations, Scope, SigningKey, Subjects, Timestamp, TrustAnchor, TrustAnchors,
    Verified, Verifier,
};
use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "usage: inspect [FILE | -] [--anchor did:key:…] [--now SECONDS] [--write FILE]";

/// Prints a line. That nobody reads on is no failure.
macro_rules! say {
    ($($line:tt)*) => {{
        let _ = writeln!(std::io::stdout(), $($line)*);
    }};
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("inspect: {error}");
            ExitCode::from(2)
        }
    }
}

/// Tells whether the envelope was verified; fails for arguments and files that cannot be used.
fn run() -> Result<bool, String> {
    let (mut input, mut anchor, mut now, mut write) = (None, None, None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value\n{USAGE}"));
        match argument.as_str() {
            "--anchor" => {
                let key: AgentId = value()?.parse().map_err(|error: Error| error.to_string())?;
                anchor = Some(key);
            }
            "--now" => {
                let seconds = value()?.parse().map_err(|_| "--now takes Unix seconds")?;
                now = Some(Timestamp::from_unix_seconds(seconds));
            }
            "--write" => write = Some(value()?),
            "-h" | "--help" => {
                say!("{USAGE}");
                return Ok(true);
            }
            option if option.starts_with('-') && option != "-" => {
                return Err(format!("there is no option {option}\n{USAGE}"));
            }
            _ if input.is_some() => return Err(format!("one envelope at a time\n{USAGE}")),
            _ => input = Some(argument),
        }
    }
    let clock = || Timestamp::now().map_err(|error| error.to_string());
    let now = now.map_or_else(clock, Ok)?;
    let bytes = match &input {
        None => sample(now).map_err(|error| error.to_string())?,
        Some(path) => read(path)?,
    };
    if let Some(path) = write {
        std::fs::write(&path, &bytes).map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(inspect(&bytes, anchor, now))
}

fn read(path: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = match path {
        "-" => std::io::stdin().read_to_end(&mut bytes).map(drop),
        _ => std::fs::read(path).map(|content| bytes = content),
    };
    read.map_err(|error| format!("{path}: {error}"))?;
    // No envelope is all hex digits: it begins with 0x84.
    let digits: Vec<u8> = bytes.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    if digits.is_empty() {
        return Err(format!("{path}: there is nothing in it"));
    }
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        let base64 = |b: &u8| b.is_ascii_alphanumeric() || b"+/-_=".contains(b);
        return match digits.iter().all(base64) {
            true => Err(format!("{path}: this may be base64; bytes or hex digits are expected")),
            false => Ok(bytes),
        };
    }
    let pair = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    match digits.len() % 2 {
        0 => Ok(digits.chunks(2).filter_map(pair).collect()),
        _ => Err(format!("{path}: a hex digit is missing, there are {}", digits.len())),
    }
}

fn inspect(bytes: &[u8], anchor: Option<AgentId>, now: Timestamp) -> bool {
    let limits = Limits::default();
    let envelope = match Envelope::decode(bytes, &limits) {
        Ok(envelope) => envelope,
        Err(error) => {
            say!("{} bytes, and no envelope", bytes.len());
            print_error(&error);
            return false;
        }
    };
    say!("Envelope {}, {} bytes", envelope.digest(), bytes.len());
    let mut judged = verify(bytes, &envelope, anchor, now);
    let mut when = "";
    if let Err(error @ (Error::Expired { .. } | Error::NotYetValid { .. })) = &judged {
        say!("  refused now: {error}; judged as of its last hop instead");
        when = " as of its last hop";
        let last = envelope.outline().hops().last().map(|hop| hop.at());
        judged = verify(bytes, &envelope, anchor, last.unwrap_or(now));
    }
    let verified = judged.as_ref().ok();
    print_header(&envelope, verified.is_some());
    print_path(&envelope.outline(), verified.is_some());
    print_authority(&envelope.outline(), verified);
    print_elements(&envelope.outline(), verified.is_some());
    print_agents(&envelope);
    match &judged {
        Ok(_) => say!(
            "\nVERIFIED{when}: every byte has been checked, and its signers signed it; whom of them to trust is another question"
        ),
        Err(error) => print_error(error),
    }
    judged.is_ok() && when.is_empty()
}

/// Verifies for an observer. Without an anchor, nobody is trusted and strangers are let in.
fn verify<'b>(
    bytes: &'b [u8],
    claimed: &Envelope<'_>,
    anchor: Option<AgentId>,
    now: Timestamp,
) -> Result<Verified<'b, Observer>, Error> {
    let limits = Limits::default();
    let me = claimed.header().from();
    let anchors = match anchor {
        Some(key) => trust(key, &claimed.outline())?,
        // A verifier has an anchor; nobody holds the key of this one.
        None => trust(SigningKey::generate(Entropy::from_os()?).id(), &claimed.outline())?,
    };
    let mut verifier = Verifier::new(me, None, anchors, Revocations::none(), limits.clone())?;
    if anchor.is_none() {
        verifier = verifier.dangerously_admit_untrusted_origins();
    }
    Envelope::decode(bytes, &limits)?.verify_as_observer(&verifier, now)
}

/// Trusts a key for whatever the chains that it begins say. A real program writes down what it trusts a key for.
fn trust(key: AgentId, outline: &Outline<'_>) -> Result<TrustAnchors, Error> {
    let nothing = Permission::new(["none"], &Resource::everything())?;
    let (mut issuer, mut permissions, mut depth) = ("unnamed", vec![nothing], 0);
    for element in outline.elements() {
        if let BodyClaim::Authority(chain) = element.body()
            && chain.root() == key
        {
            issuer = chain.issuer();
            for link in chain.links() {
                permissions.extend(link.scope().iter().flat_map(Scope::permissions));
                depth = depth.max(link.depth().unwrap_or(0) + 1);
            }
        }
    }
    let anchor = TrustAnchor::new(key, issuer, Subjects::Any, Scope::new(permissions)?)?;
    TrustAnchors::new([anchor.depth(depth).max_lifetime(Duration::MAX)])
}

fn print_error(error: &Error) {
    let place = match error.place() {
        Place::Offset(offset) => format!("byte {offset}"),
        Place::Header => "the header".to_owned(),
        Place::Hop(hop) => format!("hop {hop}"),
        Place::Element(element) => format!("element {element}"),
        Place::Link { element: Some(element), link } => format!("link {link} of element {element}"),
        Place::Link { link, .. } => format!("link {link}"),
        Place::Entry(entry) => format!("entry {entry}"),
        _ => "the envelope".to_owned(),
    };
    say!("\nREFUSED at {place}: {error}");
    say!("  {} {}, by the fault of: {:?}", error.code(), error.name(), error.culprit());
}

fn section(name: &str, verified: bool, what: &str) {
    match verified {
        true => say!("\n{name}  verified: {what}"),
        false => say!("\n{name}  only claimed, because the envelope is refused (see below)"),
    }
}

fn print_header(envelope: &Envelope<'_>, verified: bool) {
    let header = envelope.header();
    section("HEADER", verified, "hop 0 signs it; times are by the sender's clock");
    let list = |agents: Vec<AgentId>| agents.into_iter().map(tail).collect::<Vec<_>>().join(", ");
    say!("  from          {}", tail(header.from()));
    say!("  to            {}", list(header.to().iter().collect()));
    if !header.via().is_empty() {
        say!("  via           {}", list(header.via().iter().collect()));
    }
    let seconds =
        header.expires().as_unix_seconds().saturating_sub(header.created().as_unix_seconds());
    say!("  created       {}, expires {} ({seconds} s)", header.created(), header.expires());
    say!("  conversation  {}", header.conversation());
    match header.base() {
        Some(base) => {
            say!("  follows       the sender's first {} elements there", base.count())
        }
        None => say!("  follows       nothing: it begins the sender's line there"),
    }
    if let Some(reply) = header.in_reply_to() {
        say!("  answers       {}", reply.origin());
    }
    for (key, value) in header.labels().iter() {
        say!("  label         {key:?} = {value:?}");
    }
    if let Some(terms) = header.terms() {
        say!("  declares      {terms}");
    }
}

fn print_path(outline: &Outline<'_>, verified: bool) {
    section("PATH", verified, "each hop is signed, by an agent whom the one before named as next");
    let mut before = 0;
    for (index, hop) in outline.hops().enumerate() {
        let next: Vec<_> = hop.next().iter().map(tail).collect();
        let wrote = match hop.count() - before {
            0 => "adds nothing".to_owned(),
            1 => format!("wrote element {before}"),
            _ => format!("wrote elements {before} to {}", hop.count() - 1),
        };
        before = hop.count();
        say!(
            "  hop {index}  {} at {}, {wrote}; next {}",
            tail(hop.signer()),
            hop.at(),
            next.join(", ")
        );
    }
}

fn print_authority(outline: &Outline<'_>, verified: Option<&Verified<'_, Observer>>) {
    let what = "links are signed and none widens what is above it; names are labels";
    section("AUTHORITY", verified.is_some(), what);
    let mut statuses = verified.into_iter().flat_map(Verified::chains).map(|(_, status)| status);
    let mut none = true;
    for element in outline.elements() {
        let BodyClaim::Authority(chain) = element.body() else { continue };
        none = false;
        say!("  element {}, brought by {}", element.index(), tail(element.author()));
        match statuses.next() {
            Some(ChainStatus::Trusted) => say!("    TRUSTED, as the command line says"),
            Some(status @ ChainStatus::UnknownRoot { .. }) => {
                say!("    not trusted here: {}; --anchor would", shorten(&status.to_string()));
            }
            Some(status) => say!("    counts for nothing: {status}"),
            None => say!("    not judged"),
        }
        say!("    root    {}, as {:?}, for {:?}", chain.root(), chain.issuer(), chain.subject());
        for (index, link) in chain.links().enumerate() {
            let name = link.name().map_or(String::new(), |name| format!(" {name:?}"));
            let mut says = vec![format!("until {}", link.window().1)];
            says.extend(link.scope().map(|scope| format!("may {scope}")));
            says.extend(link.depth().map(|depth| format!("depth {depth}")));
            says.extend(link.audience().map(|audience| format!("with {audience:?} only")));
            says.extend(link.conversation().map(|_| "in one conversation only".to_owned()));
            say!("    link {index}  to {}{name}: {}", tail(link.holder()), says.join("; "));
        }
    }
    if none {
        say!("  none: nobody says for whom it acts");
    }
}

fn print_elements(outline: &Outline<'_>, verified: bool) {
    let what = "they are what their authors signed, in this order; kinds are their authors' claims";
    section("ELEMENTS", verified, what);
    for element in outline.elements() {
        let size = element.size();
        let (mark, says) = match element.body() {
            BodyClaim::Clear(plain) => (
                "clear  ",
                format!(
                    "{}, {}",
                    preview(plain.content_type().as_bytes()),
                    preview(plain.content())
                ),
            ),
            BodyClaim::Sealed { audience, plain_size } => (
                "sealed ",
                format!("to the audience in element {audience}, {plain_size} bytes inside"),
            ),
            BodyClaim::Absent => ("absent ", "left out with its author's consent".to_owned()),
            BodyClaim::Authority(chain) => {
                ("control", format!("authority: a chain of {} links", chain.links().len()))
            }
            BodyClaim::Audience { id, readers } => {
                let id = id.to_string();
                (
                    "control",
                    format!("audience {}…: lets in {readers}, and does not say whom", &id[..8]),
                )
            }
            BodyClaim::KeyPackage { suite, expires, .. } => {
                ("control", format!("key package: suite {}, until {expires}", suite.number()))
            }
            BodyClaim::Allotment { payer, to, terms, .. } => {
                ("control", format!("allotment: {} pays {} for {terms}", tail(payer), tail(to)))
            }
            BodyClaim::Report { entries } => {
                ("control", format!("report: {entries} ledger entries"))
            }
            _ => ("control", "of a kind that this example does not know".to_owned()),
        };
        let kind = element.kind().map_or(String::new(), |kind| kind.to_string());
        let mut notes = String::new();
        if element.refs() > 0 {
            notes.push_str(&format!(", refers to {}", element.refs()));
        }
        match element.listed_absent_by() {
            Some(hop) => notes.push_str(&format!(", listed as absent by hop {hop}")),
            None if element.is_elidable() => notes.push_str(", may be left out"),
            None => {}
        }
        let (index, author) = (element.index(), tail(element.author()));
        say!("  {index:3}  {author}  {mark}  {kind:11} {size:6} bytes  {says}{notes}");
    }
}

fn print_agents(envelope: &Envelope<'_>) {
    let mut agents = envelope.header().parties();
    agents.extend(envelope.header().via().iter());
    agents.extend(envelope.outline().hops().map(|hop| hop.signer()));
    agents.sort_unstable();
    agents.dedup();
    say!("\nAGENTS");
    for agent in agents {
        say!("  {}  {agent}", tail(agent));
    }
}

/// The end of a did:key: all begin alike.
fn tail(id: AgentId) -> String {
    shorten(&id.to_string())
}

fn shorten(text: &str) -> String {
    let short = |word: &str| match word.strip_prefix("did:key:") {
        Some(key) => format!("…{}", &key[key.len() - 6..]),
        None => word.to_owned(),
    };
    text.split(' ').map(short).collect::<Vec<_>>().join(" ")
}

/// Begins a text, with nothing in it that moves a cursor.
fn preview(content: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(content).chars().take(40).collect();
    format!("{text:?}")
}

/// Makes an envelope that has some of everything: three hops, two chains, sealed, clear and absent elements.
fn sample(now: Timestamp) -> Result<Vec<u8>, Error> {
    let agent = || Ok::<_, Error>(Identity::generate(Entropy::from_os()?));
    let [app, planner, tools, writer] = [agent()?, agent()?, agent()?, agent()?];
    let hour = Duration::from_secs(3600);
    let [app_box, tools_box, writer_box] = [
        app.key_package(now, hour)?,
        tools.key_package(now, hour)?,
        writer.key_package(now, hour)?,
    ];
    let login = SigningKey::generate(Entropy::from_os()?);
    let may = Scope::new([Permission::new(["calendar.read"], &"calendars/alice".parse()?)?])?;
    let anchor = TrustAnchor::new(login.id(), "https://login.example", Subjects::Any, may.clone())?;
    let grant = Grant::new("alice@example", may).name("app").depth(1);
    let for_app =
        DelegationChain::issue(&login, &anchor, app.id(), grant, now, Entropy::from_os()?)?;
    let less = Narrow::default().name("planner").lifetime(Duration::from_secs(600));
    let for_planner =
        for_app.extend(app.signing_key(), planner.id(), less, now, Entropy::from_os()?)?;
    let inbox = |me: &Identity| {
        let anchors = TrustAnchors::new([anchor.clone()])?;
        Verifier::new(me.id(), None, anchors, Revocations::none(), Limits::default())
            .map(Inbox::new)
    };

    let memory =
        NewElement::clear(Kind::Memory, "text/plain", &b"prefers mornings"[..]).detachable();
    let sent = Draft::new(&app)
        .to(writer.id())
        .via([planner.id(), tools.id()])
        .expires_in(Duration::from_secs(24 * 60 * 60))
        .label("skill", "schedule")
        .key_package(&app_box)
        .authority(&for_app)
        .clear(Kind::User, "text/plain", &b"Find me an hour with Bob this week."[..])
        .element(memory)
        .sign(now, Entropy::from_os()?)?;
    let mut planner_inbox = inbox(&planner)?;
    let without_memory = sent.detached();
    let received = planner_inbox.receive(&without_memory, now)?;
    let call = br#"{"with":"bob","minutes":60}"#;
    let planned = received
        .onward(&planner)
        .authority(&for_planner)
        .sealed(Kind::ToolCall, "application/json", &call[..], [&tools_box, &writer_box])
        .next(tools.id())
        .sign(now, Entropy::from_os()?)?;
    let mut tools_inbox = inbox(&tools)?;
    let received = tools_inbox.receive(&planned, now)?;
    let asked = received.elements().map(|item| item.provenance());
    let asked = asked.filter(|from| from.kind() == Kind::ToolCall);
    let free = br#"{"free":"Thursday 14:00"}"#;
    let result = NewElement::sealed(Kind::ToolResult, "application/json", &free[..], [&writer_box]);
    received
        .onward(&tools)
        .element(result.refers_to(asked))
        .next(writer.id())
        .sign(now, Entropy::from_os()?)
}
