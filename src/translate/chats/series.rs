//! Names of items that tell which one came before: `NAME`, `NAME#1`, `NAME#2` and so on, as one session has written them
//! for one peer. What is lost on its way between two servers is noticed when the next one comes, and found on the node.

use std::sync::Arc;

use crate::translate::Wire;

/// What a session has written to one peer.
#[derive(Default)]
pub(super) struct Series {
    first: Option<Arc<str>>,
    /// So many have followed it.
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

/// The name of the item before this one; `None`: it is the first of its series, or of none.
pub(super) fn before(item: &str) -> Option<String> {
    let (first, number) = item.rsplit_once('#')?;
    match number.parse::<u32>().ok()? {
        0 => None,
        1 => Some(first.to_owned()),
        number => Some(format!("{first}#{}", number - 1)),
    }
}
