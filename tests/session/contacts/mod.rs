//! Who may see whom: subscriptions, the roster, members of the node, and what the server asks about them.

mod addresses;
mod cells;
mod form_input;
mod forms;
mod gate;
mod handshake;
mod hostile;
mod natives;
mod record;
mod repair;
mod revocation;
mod roster;
mod subscriptions;
