//! Names of items that tell the item before: `NAME`, `NAME#1`, `NAME#2` and so on, as one session writes them for one
//! peer. An item lost between two servers is noticed when the next one comes, and found on the node.

use std::sync::Arc;

use crate::translate::Wire;

/// Names of the items that a session has written to one peer.
#[derive(Default)]
pub(super) struct Series {
    first: Option<Arc<str>>,
    /// Items written after the first.
    count: u32,
}

impl Series {
    /// The name of the next item.
    pub(super) fn next(&mut self, wire: &mut Wire) -> Arc<str> {
        if let Some(first) = &self.first {
            self.count += 1;
            return format!("{first}#{}", self.count).into();
        }
        let first: Arc<str> = wire.fresh_id().as_str().into();
        self.first = Some(Arc::clone(&first));
        first
    }
}

/// The name of the item before this one; `None`: this is the first of a series, or not of one.
pub(super) fn before(item: &str) -> Option<String> {
    let (first, number) = item.rsplit_once('#')?;
    match number.parse::<u32>().ok()? {
        0 => None,
        1 => Some(first.to_owned()),
        number => Some(format!("{first}#{}", number - 1)),
    }
}
