//! Any content, labels, readers and paths: a draft is refused for what is wrong with it, or it arrives as it was written.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use crate::support::{NOW, World, entropy, later, package};
use agent_envelope::{
    AgentId, Draft, Error, Identity, Inbox, Item, KeyPackage, Kind, NewElement, Reference, Sent,
    Verifier,
};
use arbitrary::{Result, Unstructured};

struct Agents {
    world: World,
    packages: [KeyPackage; 3],
    verifiers: [Verifier; 3],
}

impl Agents {
    /// Planner, worker and auditor, who may read.
    fn readers(&self) -> [&Identity; 3] {
        [&self.world.planner, &self.world.worker, &self.world.auditor]
    }
}

fn agents() -> &'static Agents {
    static AGENTS: OnceLock<Agents> = OnceLock::new();
    AGENTS.get_or_init(|| {
        let world = World::new();
        let readers = [&world.planner, &world.worker, &world.auditor];
        let packages = readers.map(package);
        let verifiers = readers.map(|reader| world.verifier(reader.id()));
        Agents { world, packages, verifiers }
    })
}

/// An element as it was written.
struct Written {
    kind: Kind,
    content_type: String,
    content: Vec<u8>,
    readers: [bool; 3],
    elidable: bool,
    detachable: bool,
    refers_to: Option<usize>,
}

pub(crate) fn run(data: &[u8]) {
    let _ = draft(&mut Unstructured::new(data));
}

fn text(input: &mut Unstructured<'_>) -> Result<String> {
    let length = usize::from(input.arbitrary::<u8>()?);
    // Every 16th is beyond what fits a byte.
    let length = if length % 16 == 15 { 200 + length } else { length % 16 };
    let bytes = input.bytes(length.min(input.len()))?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

fn printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

impl Written {
    fn read(input: &mut Unstructured<'_>) -> Result<Self> {
        let number = match input.arbitrary::<u8>()? {
            64.. => 65_536 + u64::from(input.arbitrary::<u32>()?),
            number => number.into(),
        };
        let flags = input.arbitrary::<u8>()?;
        let content_type = text(input)?;
        let length = usize::from(input.arbitrary::<u16>()?) % 600;
        let content = input.bytes(length.min(input.len()))?.to_vec();
        Ok(Self {
            kind: Kind::from_number(number).expect("a content kind"),
            content_type,
            content,
            readers: [flags & 1 != 0, flags & 2 != 0, flags & 4 != 0],
            elidable: flags & 8 != 0,
            detachable: flags & 16 != 0,
            refers_to: (flags & 32 != 0).then_some(usize::from(flags >> 6)),
        })
    }

    fn is_sealed(&self) -> bool {
        self.readers.contains(&true)
    }

    /// Whether it may be the element of this index among the content.
    fn is_valid(&self, index: usize) -> bool {
        !matches!(self.kind, Kind::Unassigned(_))
            && self.content_type.len() <= 256
            && printable(&self.content_type)
            && self.refers_to.is_none_or(|to| to < index)
    }

    fn element<'d>(&self, packages: &'d [KeyPackage; 3]) -> NewElement<'d> {
        let readers = packages.iter().zip(self.readers).filter(|(_, reads)| *reads);
        let (content_type, content) = (self.content_type.clone(), self.content.clone());
        let mut element = if self.is_sealed() {
            let readers = readers.map(|(package, _)| package);
            NewElement::sealed(self.kind, content_type, content, readers)
        } else {
            NewElement::clear(self.kind, content_type, content)
        };
        if let Some(to) = self.refers_to {
            element = element.refers_to([Reference::Here(to)]);
        }
        match (self.elidable, self.detachable) {
            (_, true) => element.detachable(),
            (true, false) => element.elidable(),
            (false, false) => element,
        }
    }

    fn assert_is(&self, item: &Item<'_>, reader: &Identity, reads: bool, detached: bool) {
        let provenance = item.provenance();
        assert_eq!(provenance.kind(), self.kind);
        assert_eq!(provenance.is_sealed(), self.is_sealed());
        assert_eq!(provenance.is_elidable(), self.elidable || self.detachable);
        assert_eq!(provenance.refs().count(), usize::from(self.refers_to.is_some()));
        let plain = match item {
            Item::Absent(_) => {
                assert!(detached && self.detachable);
                return;
            }
            Item::Present(present) => {
                assert!(!self.is_sealed());
                present.clone().plaintext()
            }
            Item::Sealed(sealed) => match sealed.open(reader) {
                Ok(plain) => plain,
                Err(error) => {
                    assert_eq!(error, Error::CannotOpen { element: provenance.index() });
                    assert!(!reads);
                    return;
                }
            },
        };
        assert!(!(detached && self.detachable) && (reads || !self.is_sealed()));
        assert_eq!(plain.content_type(), self.content_type);
        assert_eq!(plain.content(), self.content);
    }
}

fn draft(input: &mut Unstructured<'_>) -> Result<()> {
    let agents = agents();
    let readers = agents.readers();
    let (shape, path) = (input.arbitrary::<u8>()?, input.arbitrary::<u8>()?);
    let lifetime = match shape >> 5 {
        7 => input.arbitrary::<u32>()?.into(),
        some => 60 * u64::from(some),
    };
    let mut labels = BTreeMap::new();
    for _ in 0..shape % 4 {
        labels.insert(text(input)?, text(input)?);
    }
    let labels: Vec<(String, String)> = labels.into_iter().collect();
    let written = (0..shape / 4 % 8)
        .map_while(|_| (!input.is_empty()).then(|| Written::read(input)))
        .collect::<Result<Vec<_>>>()?;
    // Some of the three are recipients, and one may have to come first.
    let to: Vec<AgentId> = readers
        .iter()
        .enumerate()
        .filter(|(bit, _)| path >> bit & 1 != 0)
        .map(|(_, one)| one.id())
        .collect();
    let via = (path & 8 != 0).then(|| readers[usize::from(path >> 4 & 3) % 3].id());
    let mut draft = Draft::new(&agents.world.user)
        .to(to.clone())
        .via(via.into_iter().collect::<Vec<_>>())
        .expires_in(Duration::from_secs(lifetime));
    for (key, value) in &labels {
        draft = draft.label(key, value);
    }
    for one in &written {
        draft = draft.element(one.element(&agents.packages));
    }
    let fits = |(key, value): &(String, String)| {
        (1..=64).contains(&key.len()) && value.len() <= 256 && printable(key) && printable(value)
    };
    let valid = !to.is_empty()
        && (1..=86_400).contains(&lifetime)
        && labels.iter().all(fits)
        && written.iter().enumerate().all(|(index, one)| one.is_valid(index));
    let sent = match draft.sign(NOW, entropy(1)) {
        Ok(sent) => sent,
        Err(error) => {
            assert!(!valid, "{error}: refused, though nothing is wrong with it");
            assert!(!error.to_string().is_empty());
            return Ok(());
        }
    };
    assert!(valid, "signed, though something is wrong with it");
    assert_eq!(Sent::from_bytes(sent.as_bytes().to_vec()).as_ref(), Ok(&sent));
    let bytes = if path & 64 == 0 { sent.as_bytes().to_vec() } else { sent.detached() };
    let detached = path & 64 != 0;
    for (position, reader) in readers.into_iter().enumerate() {
        let next = via.map_or_else(|| to.contains(&reader.id()), |via| via == reader.id());
        let mut inbox = Inbox::new(agents.verifiers[position].clone());
        let admitted = match inbox.receive(&bytes, NOW) {
            Ok(admitted) => admitted,
            Err(error) => {
                assert_eq!(error, Error::NotAddressed { agent: reader.id() });
                assert!(!next);
                continue;
            }
        };
        assert!(next);
        let header = admitted.verified().header();
        assert_eq!((header.created(), header.expires()), (NOW, later(lifetime)));
        let found: BTreeMap<_, _> = header.labels().iter().collect();
        assert_eq!(found, labels.iter().map(|(key, value)| (&key[..], &value[..])).collect());
        assert_eq!(admitted.elements().count(), written.len());
        for (item, written) in admitted.elements().zip(&written) {
            assert_eq!(item.provenance().author(), agents.world.user.id());
            written.assert_is(&item, reader, written.readers[position], detached);
        }
        assert!(matches!(inbox.receive(&bytes, NOW), Err(Error::Replayed { .. })));
    }
    Ok(())
}
