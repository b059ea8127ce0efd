//! Clients that say anything to a sandbox: nobody brings it down, everybody gets well-formed XML, and no
//! more than is allowed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pubshim_fuzz::crowd::{self, Setup, Step};

fuzz_target!(|input: (Setup, Vec<Step>)| {
    let (setup, steps) = input;
    crowd::run(&setup, &steps);
});
