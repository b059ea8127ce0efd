//! The commands beside `run`: their options, and what they do with standard input and output.

pub mod convert;
pub mod replay;
pub mod translate;
