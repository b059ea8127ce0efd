//! The namespace declarations in force inside a stanza, however many they are.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::chars::unescape;
use super::known::Number;
use super::unique::hash;

/// So many are searched one by one; what is declared beyond them is found by its hash.
const FEW: u32 = 8;
/// Room for more than this is given back after the stanza.
const KEEP: usize = 64;

/// Declarations as ranges of the text they stand in, inner ones last.
#[derive(Clone, Debug, Default)]
pub(super) struct Declarations {
    stack: Vec<Declaration>,
    /// What lies beyond the first few, by prefix; of the first so many, as most are never looked for.
    prefixes: Index,
    indexed: u32,
    /// The first one of each namespace among them; of the first so many.
    namespaces: Index,
    numbered: u32,
}

#[derive(Clone, Copy, Debug)]
struct Declaration {
    /// How many elements were open around its own.
    depth: u32,
    /// Empty for the default namespace.
    prefix: Range,
    value: Range,
    number: Number,
    /// The hash of the namespace, if there is a prefix for it.
    hash: u64,
    /// The first declaration in force that gives the same namespace a prefix.
    namespace: u32,
}

/// A part of a text: where it begins and how long it is.
pub(super) type Range = (u32, u32);

/// The part of `text` that `range` says.
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
        let namespace = self.number();
        self.stack.push(Declaration {
            depth,
            prefix,
            value,
            number,
            hash: 0,
            namespace,
        });
    }

    /// Makes every prefix in force to be found by its hash.
    fn index(&mut self, text: &[u8]) {
        let new = self.indexed.max(FEW)..self.number();
        let prefix = |number: u32| part(text, self.stack[number as usize].prefix);
        self.prefixes
            .extend(new.map(|number| (hash(prefix(number)), number)));
        self.indexed = self.number();
    }

    /// Finds out which declarations in force are of the same namespace.
    fn compare(&mut self, text: &[u8]) {
        for number in self.numbered..self.number() {
            let declaration = self.stack[number as usize];
            // No attribute is in the default namespace, so that one is not compared with others.
            if declaration.prefix.1 > 0 {
                let namespace = meaning(part(text, declaration.value));
                let hash = hash(&*namespace);
                let known = self.first_of(text, &namespace, hash);
                let declaration = &mut self.stack[number as usize];
                declaration.hash = hash;
                match known {
                    Some(known) => declaration.namespace = known,
                    None if number >= FEW => self.namespaces.push(hash, number),
                    None => {}
                }
            }
            self.numbered = number + 1;
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
            // Nothing is found by its hash.
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

    /// Where the value of a declaration stands.
    pub(super) fn value(&self, declaration: u32) -> Range {
        self.stack[declaration as usize].value
    }

    /// What stands for the namespace of a declaration in the index.
    pub(super) fn number_of(&self, declaration: u32) -> Number {
        self.stack[declaration as usize].number
    }

    /// A number that all declarations of one namespace share.
    pub(super) fn namespace(&mut self, text: &[u8], declaration: u32) -> u32 {
        self.compare(text);
        self.stack[declaration as usize].namespace
    }

    /// The bytes it needs besides the text.
    pub(super) fn memory(&self) -> usize {
        self.stack.capacity() * size_of::<Declaration>()
            + self.prefixes.memory()
            + self.namespaces.memory()
    }

    /// The first declaration in force that gives a prefix to `namespace`.
    pub(super) fn of_namespace(&mut self, text: &[u8], namespace: &str) -> Option<u32> {
        self.compare(text);
        self.first_of(text, namespace, hash(namespace))
    }

    /// The same among those that were compared.
    fn first_of(&self, text: &[u8], namespace: &str, hash: u64) -> Option<u32> {
        let is_it = |at: u32| {
            let known = &self.stack[at as usize];
            // Only what is about as long as `namespace` is read again.
            known.hash == hash
                && known.prefix.1 > 0
                && meaning(part(text, known.value)) == namespace
        };
        let among_few = (0..self.numbered.min(FEW)).find(|at| is_it(*at));
        among_few.or_else(|| self.namespaces.find(hash, is_it))
    }

    /// The number of the next declaration.
    fn number(&self) -> u32 {
        u32::try_from(self.stack.len()).unwrap_or(u32::MAX)
    }

    /// How many are searched one by one.
    fn few(&self) -> u32 {
        self.number().min(FEW)
    }
}

/// The namespace that the value of a declaration stands for.
fn meaning(value: &[u8]) -> Cow<'_, str> {
    // What is declared was checked to be UTF-8.
    unescape(std::str::from_utf8(value).unwrap_or_default())
}

/// Finds numbers by a hash. What goes in last comes out first.
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
        // In the order of the hashes a map is made several times as fast.
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

    /// The last one with this hash that is the one.
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
