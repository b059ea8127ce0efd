//! Permission to see: subscriptions, the roster, members of the node, and the server's questions about them.

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
