//! The namespace declarations in force inside a stanza, however many they are.

use std::collections::BTreeMap;

use super::Namespaces;
use super::known::{Number, meaning};
use super::unique::hash;

/// The first declarations are searched one by one, those beyond them by their hashes.
const FEW: u32 = 8;
/// Room for more declarations than this is given back after the stanza.
const KEEP: usize = 64;

/// Declarations as ranges of the text they stand in, inner ones last.
#[derive(Clone, Debug, Default)]
pub(super) struct Declarations {
    stack: Vec<Declaration>,
    /// Finds declarations beyond the first few by their prefixes.
    prefixes: Index,
    /// How many declarations were put into `prefixes`: most are never looked for.
    indexed: u32,
    /// Finds, beyond the first few, the first declaration of each namespace.
    namespaces: Index,
    /// How many declarations were compared with those before.
    numbered: u32,
}

#[derive(Clone, Copy, Debug)]
struct Declaration {
    /// How many elements are open around the one that declares it.
    depth: u32,
    /// Empty for the default namespace.
    prefix: Range,
    value: Range,
    number: Number,
    /// The number that all declarations in force of its namespace share; its own until they are compared.
    shared: Number,
    /// The hash of a namespace that is compared with others.
    hash: u64,
}

/// A part of a text: where it begins and how long it is.
pub(super) type Range = (u32, u32);

/// An attribute of a frame: its name and its value, without the quotes.
pub(super) type Attribute = (Range, Range);

/// The `range` of `text`.
pub(super) fn part(text: &[u8], (start, len): Range) -> &[u8] {
    &text[start as usize..][..len as usize]
}

impl Declarations {
    /// How many are in force.
    pub(super) fn len(&self) -> usize {
        self.stack.len()
    }

    /// Notes a declaration of an element that has `depth` others open around it.
    pub(super) fn push(&mut self, depth: u32, prefix: Range, value: Range, number: Number) {
        self.stack.push(Declaration {
            depth,
            prefix,
            value,
            number,
            shared: number,
            hash: 0,
        });
    }

    /// Indexes the prefixes in force beyond the first few by their hashes.
    fn index(&mut self, text: &[u8]) {
        let new = self.indexed.max(FEW)..self.number();
        let prefix = |number: u32| part(text, self.stack[number as usize].prefix);
        self.prefixes
            .extend(new.map(|number| (hash(prefix(number)), number)));
        self.indexed = self.number();
    }

    /// Finds out which declarations in force are of the same namespace, among them those of the `stream`.
    fn compare(&mut self, text: &[u8], stream: &Namespaces) {
        for at in self.numbered..self.number() {
            let Declaration {
                prefix,
                value,
                number,
                ..
            } = self.stack[at as usize];
            // No attribute is in the default namespace, so that one is not compared with others.
            if prefix.1 > 0 && !number.is_known() {
                let namespace = meaning(part(text, value));
                let hash = hash(&*namespace);
                let same = self.first_of(text, &namespace, hash);
                let same = same.map(|same| self.stack[same as usize].shared);
                if same.is_none() && at >= FEW {
                    self.namespaces.push(hash, at);
                }
                let declaration = &mut self.stack[at as usize];
                declaration.hash = hash;
                declaration.shared = same
                    .or_else(|| stream.number_of(&namespace))
                    .unwrap_or(Number::at(value.0));
            }
            self.numbered = at + 1;
        }
    }

    /// Forgets what was declared by elements that had at least `depth` others open around them.
    pub(super) fn leave(&mut self, depth: u32) {
        if self.stack.last().is_none_or(|last| last.depth < depth) {
            return;
        }
        let kept = self.stack.iter().rposition(|last| last.depth < depth);
        let kept = kept.map_or(0, |last| last + 1);
        let all = self.number();
        self.stack.truncate(kept);
        let left = self.number();
        if all <= FEW {
            // None was put into an index.
        } else if left <= FEW {
            self.prefixes.clear();
            self.namespaces.clear();
        } else {
            for number in (left..all).rev() {
                self.prefixes.pop(number);
                self.namespaces.pop(number);
            }
        }
        self.indexed = self.indexed.min(left);
        self.numbered = self.numbered.min(left);
    }

    /// Forgets everything and gives back the room of a large stanza.
    pub(super) fn clear(&mut self) {
        match self.stack.capacity() > KEEP {
            true => *self = Self::default(),
            false => self.leave(0),
        }
    }

    /// The number of the innermost declaration of `prefix`.
    pub(super) fn find(&mut self, text: &[u8], prefix: &[u8]) -> Option<u32> {
        self.index(text);
        let is_it = |at: u32| part(text, self.stack[at as usize].prefix) == prefix;
        let beyond = match self.number() > FEW {
            true => self.prefixes.find(hash(prefix), is_it),
            false => None,
        };
        beyond.or_else(|| (0..self.few()).rev().find(|at| is_it(*at)))
    }

    /// The number of a declaration's namespace in the index.
    pub(super) fn number_of(&self, declaration: u32) -> Number {
        self.stack[declaration as usize].number
    }

    /// A number that all declarations of one namespace share, those of the `stream` included.
    pub(super) fn namespace(
        &mut self,
        text: &[u8],
        declaration: u32,
        stream: &Namespaces,
    ) -> Number {
        self.compare(text, stream);
        self.stack[declaration as usize].shared
    }

    /// The bytes it needs besides the text.
    pub(super) fn memory(&self) -> usize {
        self.stack.capacity() * size_of::<Declaration>()
            + self.prefixes.memory()
            + self.namespaces.memory()
    }

    /// The first declaration in force of `namespace`, among those that were compared.
    fn first_of(&self, text: &[u8], namespace: &str, hash: u64) -> Option<u32> {
        let is_it = |at: u32| {
            let known = &self.stack[at as usize];
            // No reference is long, so only a value about as long as `namespace` is read again.
            known.hash == hash
                && known.prefix.1 > 0
                && meaning(part(text, known.value)) == namespace
        };
        let among_few = (0..self.numbered.min(FEW)).find(|at| is_it(*at));
        among_few.or_else(|| self.namespaces.find(hash, is_it))
    }

    /// The number of the next declaration.
    fn number(&self) -> u32 {
        // Each has a place in the text.
        u32::try_from(self.stack.len()).unwrap_or(u32::MAX)
    }

    /// How many are searched one by one.
    fn few(&self) -> u32 {
        self.number().min(FEW)
    }
}

/// Finds declarations by a hash, the last one first. Declarations are taken out in the reverse order.
#[derive(Clone, Debug, Default)]
struct Index {
    /// By hash: where in `links` the last of them stands.
    last: BTreeMap<u64, usize>,
    links: Vec<Link>,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    hash: u64,
    number: u32,
    /// The one before with the same hash.
    before: Option<usize>,
}

impl Index {
    fn push(&mut self, hash: u64, number: u32) {
        let before = self.last.insert(hash, self.links.len());
        self.links.push(Link {
            hash,
            number,
            before,
        });
    }

    /// Adds many at once, in the order of their numbers.
    fn extend(&mut self, new: impl ExactSizeIterator<Item = (u64, u32)>) {
        if !self.last.is_empty() || new.len() < 2 {
            return new.for_each(|(hash, number)| self.push(hash, number));
        }
        let link = |(hash, number)| Link {
            hash,
            number,
            before: None,
        };
        self.links.extend(new.map(link));
        // A map is made several times as fast from sorted hashes.
        let mut order: Vec<_> = self.links.iter().map(|link| link.hash).zip(0..).collect();
        order.sort_unstable();
        for pair in order.windows(2) {
            if pair[0].0 == pair[1].0 {
                self.links[pair[1].1].before = Some(pair[0].1);
            }
        }
        self.last = order.into_iter().collect();
    }

    fn clear(&mut self) {
        self.last.clear();
        self.links.clear();
    }

    /// Takes `number` out, if it is in; it is then the last.
    fn pop(&mut self, number: u32) {
        if let Some(link) = self.links.pop_if(|last| last.number == number) {
            match link.before {
                Some(before) => self.last.insert(link.hash, before),
                None => self.last.remove(&link.hash),
            };
        }
    }

    /// The last declaration with this `hash` for which `is_it` says so.
    fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut next = self.last.get(&hash).copied();
        while let Some(link) = next.and_then(|at| self.links.get(at)) {
            if is_it(link.number) {
                return Some(link.number);
            }
            next = link.before;
        }
        None
    }

    fn memory(&self) -> usize {
        const NODE: usize = 24;
        self.links.capacity() * size_of::<Link>() + self.last.len() * NODE
    }
}
