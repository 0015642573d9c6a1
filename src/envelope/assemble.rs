//! Turns what a builder was given into encoded elements. SPEC §7.6.

use alloc::vec::Vec;

use super::element::{Audience, NewElement, Readers, Reference};
use crate::Error;
use crate::cbor::Encoder;
use crate::context::{
    AnyKind, ContentType, Control, ElementChain, Kind, Plain, control_commit, encode_record,
};
use crate::delegation::DelegationChain;
use crate::digest::{Digest, ElementId, HeaderDigest, Use, hash};
use crate::entropy::Seed;
use crate::identity::{AgentId, KeyPackage};
use crate::seal::{AudienceSecret, Place, SecretBytes, seal, sealed_digest};

/// What a builder was given, in order.
#[derive(Clone, Debug)]
pub(super) enum Part<'d> {
    Content(NewElement<'d>),
    Authority(&'d DelegationChain),
    KeyPackage(&'d KeyPackage),
    /// The history of a ledger of the author's, up to a report.
    Report(&'d [u8]),
    /// Lets further readers into an audience.
    Admit(&'d Audience, Vec<&'d KeyPackage>),
}

/// Hashes all that goes into a call, so that its secrets are bound to it. `context` is what stands outside the parts.
pub(super) fn inputs(context: &[u8], parts: &[Part<'_>], more: &[u8]) -> Digest {
    hash(Use::Inputs, 2 + parts.len(), |out| {
        out.bytes(context).bytes(more);
        for part in parts {
            match part {
                Part::Content(element) => {
                    out.array(8).uint(element.kind.number());
                    out.text(&element.content_type).bytes(&element.content);
                    out.uint(u64::from(element.elidable)).uint(u64::from(element.detachable));
                    out.array(element.refs.len());
                    for reference in &element.refs {
                        match reference {
                            Reference::Element(id) => out.bytes(id.as_bytes()),
                            Reference::Here(index) => out.count(*index),
                        };
                    }
                    match &element.readers {
                        Readers::Everybody => out.null().null(),
                        Readers::Of(readers) => packages(out, readers).null(),
                        Readers::Existing(audience) => {
                            out.null().bytes(audience.secret.id().as_bytes())
                        }
                    };
                }
                Part::Authority(chain) => {
                    out.bytes(chain.as_bytes());
                }
                Part::KeyPackage(package) => {
                    out.bytes(package.as_bytes());
                }
                Part::Report(history) => {
                    out.bytes(history);
                }
                Part::Admit(audience, readers) => {
                    out.array(2).bytes(audience.secret.id().as_bytes());
                    packages(out, readers);
                }
            }
        }
    })
}

fn packages<'o, S: crate::cbor::Sink>(
    out: &'o mut Encoder<S>,
    packages: &[&KeyPackage],
) -> &'o mut Encoder<S> {
    out.array(packages.len());
    for package in packages {
        out.bytes(package.as_bytes());
    }
    out
}

/// Writes the elements of one hop.
pub(super) struct Assembler<'s> {
    pub(super) seed: &'s Seed,
    pub(super) envelope: HeaderDigest,
    pub(super) author: AgentId,
    pub(super) chain: ElementChain,
    /// The index of the next element.
    pub(super) next: usize,
    /// What was written.
    pub(super) encoded: Encoder,
    /// The elements whose bodies may travel apart.
    pub(super) absent: Vec<usize>,
    contents: Vec<ElementId>,
    audiences: Vec<(Keys, usize, AudienceSecret)>,
    grants: usize,
}

impl<'s> Assembler<'s> {
    pub(super) fn new(
        seed: &'s Seed,
        envelope: HeaderDigest,
        author: AgentId,
        chain: ElementChain,
        next: usize,
    ) -> Self {
        let capacity = 1024;
        Self {
            seed,
            envelope,
            author,
            chain,
            next,
            encoded: Encoder::with_capacity(capacity),
            absent: Vec::new(),
            contents: Vec::new(),
            audiences: Vec::new(),
            grants: 0,
        }
    }

    pub(super) fn push(&mut self, part: &Part<'_>) -> Result<(), Error> {
        match part {
            Part::Content(element) => self.content(element),
            Part::Authority(chain) => {
                self.author.must_be(chain.holder())?;
                self.control(Control::Authority, chain.as_bytes());
                Ok(())
            }
            Part::KeyPackage(package) => {
                self.author.must_be(package.agent())?;
                self.control(Control::KeyPackage, package.as_bytes());
                Ok(())
            }
            Part::Report(history) => {
                self.control(Control::Report, history);
                Ok(())
            }
            Part::Admit(audience, readers) => {
                if readers.is_empty() {
                    return Err(Error::IncompleteDraft {
                        reason: "nobody is let into the audience",
                    });
                }
                self.check_audience(audience)?;
                // Far above the labels of audiences, so that the two never meet in one call.
                let label = GRANTS + self.grants;
                self.grants += 1;
                let body = audience.secret.encrypt(&self.envelope, readers, self.seed, label)?;
                self.control(Control::Audience, &body);
                Ok(())
            }
        }
    }

    pub(super) fn control(&mut self, control: Control, body: &[u8]) {
        let commit = control_commit(&self.author, control.number(), body);
        let record = encode_record(AnyKind::Control(control), &commit, None, &[], false);
        self.element(&record, body);
    }

    fn content(&mut self, element: &NewElement<'_>) -> Result<(), Error> {
        if Kind::from_number(element.kind.number()) != Some(element.kind)
            || matches!(element.kind, Kind::Unassigned(_))
        {
            return Err(Error::IncompleteDraft { reason: "an element's kind is not assigned" });
        }
        let reason = "a content type has 256 bytes at most and no control characters";
        let content_type =
            ContentType::new(&element.content_type).ok_or(Error::IncompleteDraft { reason })?;
        let refs = self.refs(&element.refs)?;
        let audience = match &element.readers {
            Readers::Everybody => None,
            Readers::Of(readers) => Some(self.audience(readers)?),
            Readers::Existing(audience) => {
                self.check_audience(audience)?;
                Some(AudienceAt::Existing(audience))
            }
        };
        let kind = AnyKind::Content(element.kind);
        let salt = self.seed.derive("salt", self.next);
        let plain = Plain { salt: &salt, content_type, content: &element.content };
        let commit = plain.commit(&self.author);
        let body = plain.encode();
        let (record, body) = match audience {
            None => (encode_record(kind, &commit, None, &refs, element.elidable), body),
            Some(at) => {
                let (index, secret) = match &at {
                    AudienceAt::Made(position) => {
                        let (_, index, secret) = &self.audiences[*position];
                        (*index, secret)
                    }
                    AudienceAt::Existing(audience) => (audience.index, &audience.secret),
                };
                let place = Place {
                    before: &self.chain.0,
                    author: &self.author,
                    kind: kind.number(),
                    commit: commit.as_bytes(),
                };
                let body = seal(secret, &place, &SecretBytes::new(body));
                let sealed = Some((index, sealed_digest(&body)));
                (encode_record(kind, &commit, sealed, &refs, element.elidable), body)
            }
        };
        if element.detachable {
            self.absent.push(self.next);
        }
        let id = self.element(&record, &body);
        self.contents.push(id);
        Ok(())
    }

    /// Finds the audience with exactly these readers, or makes it.
    fn audience<'k>(&mut self, readers: &[&'k KeyPackage]) -> Result<AudienceAt<'k>, Error> {
        if readers.is_empty() {
            return Err(Error::IncompleteDraft { reason: "an element is sealed to nobody" });
        }
        let mut keys: Keys =
            readers.iter().map(|reader| (reader.agent(), reader.claims().sealing_key)).collect();
        keys.sort_unstable();
        if let Some(known) = self.audiences.iter().position(|(known, ..)| *known == keys) {
            return Ok(AudienceAt::Made(known));
        }
        let label = self.audiences.len();
        let secret =
            AudienceSecret::new(self.seed.derive("audience-secret", label), &self.envelope);
        let body = secret.encrypt(&self.envelope, readers, self.seed, label)?;
        let index = self.next;
        self.control(Control::Audience, &body);
        self.audiences.push((keys, index, secret));
        Ok(AudienceAt::Made(label))
    }

    /// An audience belongs to its envelope: its secret opens nothing elsewhere.
    fn check_audience(&self, audience: &Audience) -> Result<(), Error> {
        if audience.envelope == self.envelope {
            return Ok(());
        }
        Err(Error::IncompleteDraft { reason: "the audience belongs to another envelope" })
    }

    fn refs(&self, refs: &[Reference]) -> Result<Vec<ElementId>, Error> {
        let mut ids = Vec::with_capacity(refs.len());
        for reference in refs {
            ids.push(match reference {
                Reference::Element(id) => *id,
                Reference::Here(index) => {
                    *self.contents.get(*index).ok_or(Error::IncompleteDraft {
                        reason: "an element refers to one that comes later",
                    })?
                }
            });
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    pub(super) fn element(&mut self, record: &[u8], body: &[u8]) -> ElementId {
        self.encoded.array(2).bytes(record).bytes(body);
        self.next += 1;
        self.chain.push(record)
    }
}

/// Readers with their sealing keys, ascending.
type Keys = Vec<(AgentId, [u8; 32])>;

enum AudienceAt<'d> {
    Made(usize),
    Existing(&'d Audience),
}

/// The first label for letting further readers in.
const GRANTS: usize = 1 << 16;
