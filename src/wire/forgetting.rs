//! Removing what pubshim has left on an account: the steps, for the operator.

use std::fmt;

use super::shown::shown;

/// A step of removing what pubshim has left on the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forgetting {
    /// A node of the account's that is pubshim's.
    Found {
        /// The node.
        node: String,
        /// How many items are on it.
        items: usize,
        /// Its use by pubshim.
        purpose: &'static str,
    },
    /// A node with a name of ours that holds something else: it stays.
    Foreign {
        /// The node.
        node: String,
    },
    /// A node was deleted.
    Removed {
        /// The node.
        node: String,
    },
    /// A step failed.
    Failed {
        /// The node; `None`: all of them.
        node: Option<String>,
        /// The server's error, or why there is none.
        reason: String,
    },
    /// All steps are done.
    Done {
        /// The account's bare JID.
        account: String,
        /// Nodes that were found.
        found: usize,
        /// Nodes that were deleted.
        removed: usize,
        /// Steps that failed.
        failed: usize,
    },
}

impl fmt::Display for Forgetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found {
                node,
                items,
                purpose,
            } => write!(f, "found '{}', items: {items} ({purpose})", shown(node)),
            Self::Foreign { node } => write!(
                f,
                "left '{}' as it is: what is on it is not pubshim's",
                shown(node)
            ),
            Self::Removed { node } => write!(f, "removed '{}'", shown(node)),
            Self::Failed { node: None, reason } => write!(f, "failed: {}", shown(reason)),
            Self::Failed {
                node: Some(node),
                reason,
            } => write!(f, "failed with '{}': {}", shown(node), shown(reason)),
            Self::Done {
                account,
                found,
                removed,
                failed,
            } => write!(
                f,
                "nodes of pubshim's on {}: {found} found, {removed} removed, {failed} failed",
                shown(account)
            ),
        }
    }
}
