//! The client's presence and that of others, the node it is on, and who sees it.

mod farewell;
mod leftovers;
mod node;
mod once;
mod publish;
mod received;
mod sent;
mod states;
mod trust;
mod unavailable;
mod visibility;
