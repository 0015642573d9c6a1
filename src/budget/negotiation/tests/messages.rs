use super::*;

use crate::cbor::Encoder;
use alloc::string::ToString;
use alloc::vec;
use proptest::prelude::*;

#[test]
fn encoded_messages_have_these_bytes() {
    let ask = Ask::new(terms(tokens(20), 2), tokens(7)).expect("an ask");
    assert_eq!((ask.want(), ask.floor()), (&terms(tokens(20), 2), &tokens(7)));
    // {1: 0, 2: {1: [[16, 20]], 2: 1000, 3: 2}, 3: [[16, 7]]}
    let bytes =
        b"\xa3\x01\x00\x02\xa3\x01\x81\x82\x10\x14\x02\x19\x03\xe8\x03\x02\x03\x81\x82\x10\x07";
    assert_eq!(Message::Ask(ask).to_bytes(), bytes);

    let tariff = Tariff::new("USD:6").expect("a tariff");
    let meters = Meters::new()
        .with_unit(Dimension::MONEY, "USD:6")
        .and_then(|meters| meters.with(TOKENS))
        .expect("meters");
    let offer = Offer::new(terms(tokens(20), 0), meters.clone(), at(500))
        .and_then(|offer| offer.with_need(tokens(5)))
        .expect("an offer")
        .with_estimate(tokens(9))
        .with_tariff(tariff.clone());
    assert_eq!((offer.need(), offer.estimate()), (&tokens(5), &tokens(9)));
    assert_eq!((offer.max(), offer.valid_until()), (&terms(tokens(20), 0), at(500)));
    assert_eq!((offer.meters(), offer.tariff()), (&meters, Some(&tariff)));
    let mut bytes = vec![0xa7, 1, 1]; // map(7); 1: 1
    bytes.extend(b"\x02\x81\x82\x10\x05"); // 2: [[16, 5]]
    bytes.extend(b"\x03\x81\x82\x10\x09"); // 3: [[16, 9]]
    bytes.extend(b"\x04\xa3\x01\x81\x82\x10\x14\x02\x19\x03\xe8\x03\x00"); // 4: {1: [[16, 20]], 2: 1000, 3: 0}
    bytes.extend(b"\x05\x82\x81\x10\x82\x18\x18\x65USD:6"); // 5: [[16], [24, "USD:6"]]
    bytes.extend(b"\x06\x19\x01\xf4"); // 6: 500
    bytes.extend(b"\x07\xa2\x01\x65USD:6\x02\x80"); // 7: {1: "USD:6", 2: []}
    assert_eq!(Message::Offer(offer).to_bytes(), bytes);

    assert_eq!(Message::Accept.to_bytes(), [0xa1, 1, 2]);

    let refuse = Refuse::new(Refusal::CannotMeter)
        .for_lack_of(tokens(5))
        .retry_in(Duration::from_millis(500));
    // {1: 3, 2: 1, 3: [[16, 5]], 4: 500}
    assert_eq!(
        Message::Refuse(refuse).to_bytes(),
        b"\xa4\x01\x03\x02\x01\x03\x81\x82\x10\x05\x04\x19\x01\xf4"
    );
}

/// Encodes a message of which each part is given in hex-like bytes.
fn map(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Encoder::new();
    bytes.map(parts.len());
    parts.iter().for_each(|part| {
        bytes.raw(part);
    });
    bytes.finish()
}

#[test]
fn every_malformed_message_is_refused_at_its_offset() {
    const NAME: &str = "negotiation message";
    let invalid = |offset, expected| Error::InvalidValue { offset, expected };
    let missing = |offset, key| Error::MissingKey { offset, key, map: NAME };
    let unknown = |offset, key| Error::UnknownKey { offset, key, map: NAME };
    let want: &[u8] = b"\x02\xa3\x01\x80\x02\x01\x03\x00";
    let offered = |meters: &[u8], need: &[u8]| {
        let need = [b"\x02", need].concat();
        let meters = [b"\x05", meters].concat();
        // 50 tokens at most, and no agents below.
        let max = b"\x04\xa3\x01\x81\x82\x10\x18\x32\x02\x01\x03\x00";
        map(&[b"\x01\x01", &need, b"\x03\x80", max, &meters, b"\x06\x01"])
    };
    let many = {
        let mut out = Encoder::new();
        out.array(65);
        (0..65).for_each(|n| {
            out.array(1).uint(400 + 4 * n);
        });
        out.finish()
    };
    for (input, error) in [
        (vec![], Error::Truncated { offset: 0 }),
        (vec![0x80], Error::WrongType { offset: 0, expected: "a map", found: "an array" }),
        (vec![0xa0], missing(1, 1)),
        (map(&[b"\x00\x00"]), unknown(1, 0)),
        (map(&[b"\x01\x04"]), invalid(2, "a kind of message, 0 to 3")),
        (map(&[b"\x02\x00"]), missing(1, 1)),
        (map(&[b"\x01\x18\x02"]), Error::LongInteger { offset: 2 }),
        // accept
        (map(&[b"\x01\x02", b"\x02\x00"]), unknown(3, 2)),
        (b"\xa1\x01\x02\x00".to_vec(), Error::TrailingBytes { offset: 3, count: 1 }),
        // ask
        (map(&[b"\x01\x00"]), missing(3, 2)),
        (map(&[b"\x01\x00", want]), missing(11, 3)),
        (map(&[b"\x01\x00", want, b"\x03\x80", b"\x04\x00"]), unknown(13, 4)),
        (map(&[b"\x01\x00", b"\x03\x80", want]), Error::UnsortedKey { offset: 5 }),
        (
            map(&[b"\x01\x00", want, b"\x03\x81\x82\x10\x01"]),
            invalid(12, "an ask with a floor that its terms cover"),
        ),
        // offer
        (
            map(&[b"\x01\x01", want]),
            Error::WrongType { offset: 4, expected: "an array", found: "a map" },
        ),
        (
            map(&[b"\x01\x01", b"\x02\x80", b"\x03\x80", b"\x04\xa3\x01\x80\x02\x01\x03\x00"]),
            missing(15, 5),
        ),
        (offered(b"\x80", b"\x80"), invalid(20, "meters of all that the terms state")),
        (
            offered(b"\x81\x10", b"\x80"),
            Error::WrongType { offset: 21, expected: "an array", found: "an unsigned integer" },
        ),
        (offered(b"\x81\x80", b"\x80"), Error::WrongCount { offset: 21, expected: 1, found: 0 }),
        (
            offered(b"\x81\x83\x10\x61a\x00", b"\x80"),
            Error::WrongCount { offset: 21, expected: 2, found: 3 },
        ),
        (offered(b"\x81\x82\x10\x61a", b"\x80"), invalid(21, "an amount without a unit")),
        (offered(b"\x82\x81\x10\x81\x0c", b"\x80"), Error::UnsortedSet { offset: 23 }),
        (offered(b"\x82\x81\x10\x81\x10", b"\x80"), Error::DuplicateMember { offset: 23 }),
        (offered(&many, b"\x80"), Error::LimitExceeded { what: "meters", limit: 64, found: 65 }),
        (
            offered(b"\x81\x81\x10", b"\x81\x82\x10\x18\x33"),
            invalid(4, "an offer whose need lies within its terms"),
        ),
        (
            offered(b"\x81\x81\x10", b"\x81\x82\x0c\x01"),
            invalid(4, "an offer whose need lies within its terms"),
        ),
        // refuse
        (map(&[b"\x01\x03"]), missing(3, 2)),
        (map(&[b"\x01\x03", b"\x02\x06"]), invalid(4, "a reason of refusal, 0 to 5")),
        (
            map(&[b"\x01\x03", b"\x02\x00", b"\x03\x80"]),
            Error::Empty { offset: 6, what: "amounts that are lacking" },
        ),
        (map(&[b"\x01\x03", b"\x02\x00", b"\x04\x00"]), invalid(6, "a time to wait above zero")),
        (map(&[b"\x01\x03", b"\x02\x00", b"\x05\x00"]), unknown(5, 5)),
    ] {
        assert_eq!(Message::from_bytes(&input), Err(error), "{input:02x?}");
    }
    assert!(Message::from_bytes(&offered(b"\x81\x81\x10", b"\x80")).is_ok());
}

#[test]
fn messages_that_contradict_themselves_are_not_made() {
    let form = |expected| Error::NegotiationForm { expected };
    let floor = form("an ask with a floor that its terms cover");
    assert_eq!(floor.to_string(), "the message is not an ask with a floor that its terms cover");
    let with_memory = || terms(memory(5), 0);
    assert_eq!(Ask::new(terms(tokens(5), 0), tokens(6)), Err(floor.clone()));
    assert_eq!(Ask::new(with_memory(), memory(6)), Err(floor.clone()));
    assert_eq!(Ask::new(with_memory(), tokens(1)), Err(floor));
    assert!(Ask::new(with_memory(), memory(5)).is_ok());
    // A ceiling that is not stated is no limit.
    assert!(Ask::new(terms(tokens(5), 0), memory(5)).is_ok());

    let need = form("an offer whose need lies within its terms");
    assert_eq!(offer().with_need(tokens(51)), Err(need.clone()));
    assert!(offer().with_need(tokens(50)).is_ok());
    let agents = Amounts::new().with(Dimension::AGENTS, 1).expect("agents");
    let flat =
        |depth| Offer::new(terms(agents.clone(), depth), meters(), at(500)).expect("an offer");
    assert_eq!(flat(0).with_need(agents.clone()), Err(need));
    assert!(flat(1).with_need(agents.clone()).is_ok());

    let calls = Amounts::new().with(Dimension::TOOL_CALLS, 1).expect("calls");
    assert_eq!(
        Offer::new(terms(calls, 0), meters(), at(500)),
        Err(Error::CannotMeter { dimension: Dimension::TOOL_CALLS })
    );
}

#[test]
fn meters_are_of_one_unit_and_ask_nothing_of_advisory_dimensions() {
    let meters = Meters::new()
        .with(TOKENS)
        .and_then(|meters| meters.with_unit(Dimension::MONEY, "USD:6"))
        .and_then(|meters| meters.with(TOKENS))
        .expect("meters");
    let all: Vec<_> = meters.iter().collect();
    assert_eq!(all, [(TOKENS, None), (Dimension::MONEY, Some("USD:6"))]);
    let money =
        |dimension, unit| terms(Amounts::new().with_unit(dimension, 1, unit).expect("money"), 0);
    let cannot = |dimension| Err(Error::CannotMeter { dimension });
    assert_eq!(meters.can_meter(&terms(tokens(1), 0)), Ok(()));
    assert_eq!(meters.can_meter(&money(Dimension::MONEY, "USD:6")), Ok(()));
    assert_eq!(meters.can_meter(&money(Dimension::MONEY, "EUR:2")), cannot(Dimension::MONEY));
    assert_eq!(meters.can_meter(&money(Dimension::MONEY.advisory(), "EUR:2")), Ok(()));
    assert_eq!(meters.can_meter(&terms(memory(1), 0)), cannot(MEMORY));
    assert_eq!(Meters::new().can_meter(&terms(Amounts::new(), 0)), Ok(()));
    let dimension = Dimension::MONEY;
    let expected = "an amount in an asset with its decimal places, such as USD:6";
    assert_eq!(Meters::new().with(dimension), Err(Error::AmountRefused { dimension, expected }));
    let private =
        |n: u64| Dimension::private((1 << 20) + n, DimensionKind::Ceiling).expect("private");
    let full = (0..64).fold(Meters::new(), |meters, n| meters.with(private(n)).expect("few"));
    let (dimension, expected) = (private(64), "one of at most 64 that are metered");
    assert_eq!(full.clone().with(private(63)), Ok(full.clone()));
    assert_eq!(full.with(dimension), Err(Error::AmountRefused { dimension, expected }));
}

#[test]
fn a_worker_answers_within_both_or_refuses_before_it_begins() {
    let advisory = |amount| tokens(amount).with(Dimension::CPU.advisory(), 3).expect("cpu");
    let calls = Amounts::new().with(Dimension::TOOL_CALLS, 4).expect("calls");
    let ask = |want, floor| Ask::new(want, floor).expect("an ask");
    let plain = |want| ask(want, Amounts::new());
    let refuse = Refuse::new;
    let insufficient = |lacking| refuse(Refusal::Insufficient).for_lack_of(lacking);
    let capacity = offer().with_estimate(tokens(9));
    for (ask, now, refused) in [
        (plain(terms(tokens(4), 2)), 10, insufficient(tokens(5))),
        (plain(terms(memory(4), 2)), 10, insufficient(tokens(5))),
        (ask(terms(tokens(60), 2), tokens(51)), 10, insufficient(tokens(51))),
        (
            plain(terms(tokens(20).with(Dimension::TOOL_CALLS, 4).expect("calls"), 2)),
            10,
            refuse(Refusal::CannotMeter).for_lack_of(calls),
        ),
        (plain(Terms::new(tokens(20), at(10), 2)), 10, refuse(Refusal::TooLate)),
        (plain(terms(tokens(20), 2)), 500, refuse(Refusal::Busy)),
    ] {
        assert_eq!(capacity.answer(&ask, at(now)), Message::Refuse(refused), "{ask:?}");
    }
    let wall =
        |terms: Terms, millis| terms.with_wall(Duration::from_millis(millis)).expect("a wall");
    for (want, max, offered) in [
        (terms(tokens(20), 2), terms(tokens(50), 1), terms(tokens(20), 1)),
        (terms(tokens(5), 0), terms(tokens(50), 1), terms(tokens(5), 0)),
        (terms(tokens(99), 2), terms(tokens(50), 1), terms(tokens(50), 1)),
        // What the worker knows nothing of and need not meter is not promised.
        (terms(advisory(20), 2), terms(tokens(50), 1), terms(tokens(20), 1)),
        (wall(terms(tokens(20), 2), 5), terms(tokens(50), 1), wall(terms(tokens(20), 1), 5)),
        (terms(tokens(20), 2), wall(terms(tokens(50), 1), 7), wall(terms(tokens(20), 1), 7)),
        (
            wall(Terms::new(tokens(20), at(2000), 2), 8),
            wall(terms(tokens(50), 1), 7),
            wall(terms(tokens(20), 1), 7),
        ),
        (
            terms(tokens(20).with(MEMORY, 7).expect("memory"), 2),
            terms(tokens(50).with(MEMORY, 8).expect("memory"), 1),
            terms(tokens(20).with(MEMORY, 7).expect("memory"), 1),
        ),
    ] {
        let capacity = Offer::new(max, meters(), at(500))
            .and_then(|offer| offer.with_need(tokens(5)))
            .expect("an offer")
            .with_estimate(tokens(9));
        let expected = Offer::new(offered, meters(), at(500))
            .and_then(|offer| offer.with_need(tokens(5)))
            .expect("an offer")
            .with_estimate(tokens(9));
        let answer = capacity.answer(&plain(want), at(499));
        assert_eq!(answer, Message::Offer(expected));
    }
    let agents = tokens(50).with(Dimension::AGENTS, 3).expect("agents");
    let need = Amounts::new().with(Dimension::AGENTS, 2).expect("agents");
    let capacity = Offer::new(terms(agents.clone(), 3), meters(), at(500))
        .and_then(|offer| offer.with_need(need))
        .expect("an offer");
    let answer = capacity.answer(&plain(terms(agents.clone(), 0)), at(10));
    assert_eq!(answer, Message::Refuse(refuse(Refusal::TooDeep)));
    assert!(matches!(capacity.answer(&plain(terms(agents, 1)), at(10)), Message::Offer(_)));
}

#[test]
fn messages_are_written_for_people() {
    for (message, text) in [
        (Message::Ask(ask()), "ask for 20 output-tokens until 1000, depth 2, down to nothing"),
        (
            Message::Offer(offer()),
            "offer valid until 500 for 50 output-tokens until 1000, depth 1, needing 5 output-tokens",
        ),
        (Message::Accept, "accept"),
        (
            Message::Refuse(Refuse::new(Refusal::Insufficient).for_lack_of(tokens(5))),
            "refuse: insufficient, for lack of 5 output-tokens",
        ),
    ] {
        assert_eq!(message.to_string(), text);
    }
    let names = ["insufficient", "cannot-meter", "too-late", "too-deep", "quota", "busy"];
    for (number, name) in (0..).zip(names) {
        let refusal = Refusal::from_number(number).expect("assigned");
        assert_eq!((refusal.number(), refusal.to_string().as_str()), (number, name));
    }
    assert_eq!(Refusal::from_number(6), None);
}

#[test]
fn a_time_to_wait_is_rounded_up_to_milliseconds() {
    let wait = |wait| Refuse::new(Refusal::Busy).retry_in(wait).retry_after();
    assert_eq!(wait(Duration::ZERO), None);
    assert_eq!(wait(Duration::from_nanos(1)), Some(Duration::from_millis(1)));
    assert_eq!(wait(Duration::from_secs(2)), Some(Duration::from_secs(2)));
    assert_eq!(wait(Duration::MAX), Some(Duration::from_millis((1 << 53) - 1)));
}

fn any_amounts() -> impl Strategy<Value = Amounts> {
    let dimension = prop_oneof![
        Just(TOKENS),
        Just(MEMORY),
        Just(Dimension::AGENTS),
        Just(Dimension::CPU.advisory()),
        Just(Dimension::CONCURRENCY.advisory()),
    ];
    proptest::collection::vec((dimension, 1_u64..9), 0..5).prop_map(|entries| {
        entries.into_iter().fold(Amounts::new(), |amounts, (dimension, amount)| {
            amounts.clone().with(dimension, amount).unwrap_or(amounts)
        })
    })
}

fn any_terms() -> impl Strategy<Value = Terms> {
    let wall = proptest::option::of(1_u64..9);
    (any_amounts(), 1_u64..9, 0_u32..3, wall).prop_map(|(amounts, deadline, depth, wall)| {
        let terms = Terms::new(amounts, at(deadline), depth);
        match wall {
            Some(wall) => terms.with_wall(Duration::from_millis(wall)).expect("a wall time"),
            None => terms,
        }
    })
}

fn any_ask() -> impl Strategy<Value = Ask> {
    (any_terms(), any_amounts())
        .prop_filter_map("a floor beyond the terms", |(want, floor)| Ask::new(want, floor).ok())
}

fn any_offer() -> impl Strategy<Value = Offer> {
    let parts = (any_terms(), any_amounts(), any_amounts(), 1_u64..12, any::<bool>());
    parts.prop_filter_map("a need beyond the terms", |(max, need, estimate, until, priced)| {
        let offer = Offer::new(max, meters(), at(until)).and_then(|offer| offer.with_need(need));
        let offer = offer.ok()?.with_estimate(estimate);
        let tariff =
            Tariff::new("USD:6").and_then(|tariff| tariff.with(TOKENS, Rate { price: 3, per: 2 }));
        Some(if priced { offer.with_tariff(tariff.expect("a tariff")) } else { offer })
    })
}

fn any_message() -> impl Strategy<Value = Message> {
    let refuse = (0_u64..6, any_amounts(), 0_u64..9).prop_map(|(number, lacking, wait)| {
        Refuse::new(Refusal::from_number(number).expect("assigned"))
            .for_lack_of(lacking)
            .retry_in(Duration::from_millis(wait))
    });
    prop_oneof![
        any_ask().prop_map(Message::Ask),
        any_offer().prop_map(Message::Offer),
        Just(Message::Accept),
        refuse.prop_map(Message::Refuse),
    ]
}

proptest! {
    #[test]
    fn messages_come_back_from_their_bytes(message in any_message()) {
        let bytes = message.to_bytes();
        prop_assert_eq!(Message::from_bytes(&bytes), Ok(message));
        for length in 0..bytes.len() {
            prop_assert!(Message::from_bytes(&bytes[..length]).is_err());
        }
    }

    #[test]
    fn hostile_bytes_are_refused_or_come_back(
        message in any_message(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = message.to_bytes();
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        if let Ok(message) = Message::from_bytes(&bytes) {
            prop_assert_eq!(message.to_bytes(), bytes);
        }
    }

    #[test]
    fn an_answer_is_an_offer_that_both_sides_can_settle_on_or_a_refusal_with_a_reason(
        capacity in any_offer(),
        ask in any_ask(),
        now in 0_u64..9,
    ) {
        let (want, max) = (ask.want(), capacity.max());
        match capacity.answer(&ask, at(now)) {
            Message::Offer(offer) => {
                prop_assert_eq!(max.narrow(offer.max(), crate::budget::DepthRule::AtMost), Ok(offer.max().clone()));
                prop_assert_eq!(want.narrow(offer.max(), crate::budget::DepthRule::AtMost), Ok(offer.max().clone()));
                // Granting all of it gives what is needed, and goes up to the floor.
                prop_assert!(first_short(offer.need(), offer.max()).is_none());
                prop_assert!(short(ask.floor(), offer.max().amounts()).next().is_none());
                prop_assert!(capacity.meters().can_meter(want).is_ok());
                prop_assert!(at(now) < offer.max().deadline() && at(now) < offer.valid_until());
                prop_assert_eq!(Message::from_bytes(&Message::Offer(offer.clone()).to_bytes()), Ok(Message::Offer(offer)));
            }
            Message::Refuse(refuse) => {
                let lacking = refuse.lacking();
                let short_of = |granted: &Terms| gathered(short(lacking, granted.amounts()));
                let right = match refuse.refusal() {
                    Refusal::Insufficient => {
                        !lacking.is_empty() && (short_of(want) == *lacking || short_of(max) == *lacking)
                    }
                    Refusal::CannotMeter => capacity.meters().can_meter(want).is_err(),
                    Refusal::TooLate => at(now) >= want.deadline().min(max.deadline()),
                    Refusal::TooDeep => want.depth() == 0,
                    Refusal::Busy => at(now) >= capacity.valid_until(),
                    _ => false,
                };
                prop_assert!(right, "{refuse}");
            }
            other => prop_assert!(false, "{other}"),
        }
    }
}
