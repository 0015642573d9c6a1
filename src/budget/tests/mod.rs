mod algebra;
mod cheats;
mod evidence;
mod fixture;
mod ledger;
mod quota;
mod tariff;
mod trees;
mod wire;

use super::*;
use alloc::string::String;
use alloc::vec::Vec;
use proptest::prelude::*;

/// The amounts at which arithmetic goes wrong, and others.
fn any_amount() -> impl Strategy<Value = u64> {
    prop_oneof![
        1_u64..10,
        Just(1 << 63),
        Just((1 << 63) - 1),
        Just(u64::MAX),
        Just(u64::MAX - 1),
        1..=u64::MAX,
    ]
}

/// Few dimensions, so that two amounts often meet; both kinds, known and unknown, with and without a unit.
fn any_key() -> impl Strategy<Value = (Dimension, Option<String>)> {
    let private = |kind| Dimension::private(1 << 20, kind).expect("a private number");
    let plain = prop_oneof![
        Just(Dimension::OUTPUT_TOKENS),
        Just(Dimension::TOOL_CALLS.advisory()),
        Just(Dimension::MEMORY),
        Just(Dimension::CONCURRENCY),
        Just(private(DimensionKind::Consumable)),
        Just(private(DimensionKind::Ceiling)),
    ];
    prop_oneof![
        plain.prop_map(|dimension| (dimension, None)),
        "(USD|EURO):[0-9]".prop_map(|unit| (Dimension::MONEY, Some(unit))),
        "[ab]{1,2}".prop_map(move |unit| (private(DimensionKind::Ceiling).advisory(), Some(unit))),
    ]
}

fn put(amounts: Amounts, dimension: Dimension, unit: Option<&str>, amount: u64) -> Amounts {
    let taken = match unit {
        Some(unit) => amounts.get_in(dimension, unit),
        None => amounts.get(dimension),
    };
    match (taken, unit) {
        (Some(_), _) => amounts,
        (None, Some(unit)) => amounts.with_unit(dimension, amount, unit).expect("a new unit"),
        (None, None) => amounts.with(dimension, amount).expect("a new dimension"),
    }
}

fn any_amounts() -> impl Strategy<Value = Amounts> {
    proptest::collection::vec((any_key(), any_amount()), 0..8).prop_map(|entries| {
        entries.into_iter().fold(Amounts::new(), |amounts, ((dimension, unit), amount)| {
            put(amounts, dimension, unit.as_deref(), amount)
        })
    })
}

/// Amounts within `parent`: each consumable lowered or left out, each ceiling lowered, and one ceiling more.
fn within(parent: &Amounts, seeds: &[u64], extra: u64) -> Amounts {
    let amounts =
        parent.iter().zip(seeds.iter().cycle()).fold(Amounts::new(), |amounts, (above, seed)| {
            let least = u64::from(above.dimension().is_ceiling());
            match least + seed % (above.value() - least).saturating_add(1) {
                0 => amounts,
                amount => put(amounts, above.dimension(), above.unit(), amount),
            }
        });
    put(amounts, Dimension::CONCURRENCY.advisory(), None, extra)
}
