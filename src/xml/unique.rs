//! Looks for duplicates: fast among a few things, in n log n steps among as many as a peer may send.

use std::hash::{DefaultHasher, Hash, Hasher as _};

/// Up to this many things are compared each with each.
const FEW: usize = 16;

/// Whether no two of the `count` things that `thing` gives by their number are the same.
pub(super) fn are_unique<T: Hash + PartialEq>(count: usize, thing: impl Fn(usize) -> T) -> bool {
    if count <= FEW {
        return (1..count).all(|one| (0..one).all(|other| thing(one) != thing(other)));
    }
    let mut hashes: Vec<_> = (0..count).map(|at| (hash(&thing(at)), at)).collect();
    hashes.sort_unstable();
    let mut same_hash = hashes.chunk_by(|one, other| one.0 == other.0);
    same_hash.all(|same| {
        (1..same.len()).all(|one| (0..one).all(|other| thing(same[one].1) != thing(same[other].1)))
    })
}

/// A hash that is the same in every run of the program.
pub(super) fn hash(thing: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    thing.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_there_twice_is_found() {
        for count in [0, 1, 2, FEW, FEW + 1, 1000] {
            assert!(are_unique(count, |at| at), "{count}");
            for (one, other) in [(0, 1), (0, count.wrapping_sub(1)), (1, 2)] {
                if one != other && other < count {
                    let thing = |at| if at == one { other } else { at };
                    assert!(!are_unique(count, thing), "{count}: {one} is {other}");
                }
            }
        }
    }
}
