//! Five hundred contacts.
