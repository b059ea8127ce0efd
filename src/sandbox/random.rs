//! Ids, salts and nonces, all from one seed.

use sha2::{Digest, Sha256};

/// A source of unpredictable values; the same seed gives the same values.
pub(super) struct Random {
    seed: [u8; 32],
    counter: u64,
}

impl Random {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    /// Another id, 128 bits as hexadecimal digits.
    pub(super) fn id(&mut self) -> String {
        self.counter += 1;
        let hash = self.hash(b"id", &self.counter.to_be_bytes());
        hash.iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// A value that depends only on the seed, the `purpose` and `text`.
    pub(super) fn hash(&self, purpose: &[u8], text: &[u8]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(self.seed);
        hasher.update(purpose);
        hasher.update([0]);
        hasher.update(text);
        hasher.finalize().into()
    }
}
