//! The stage of the stories: a sandbox, a shim for each client, and the test's clock.

use std::rc::Rc;

use crate::common::Node;
use crate::world::{self, World};

/// `on_each_stage!(story)` makes of a story the test `sandbox`.
macro_rules! on_each_stage {
    ($story:path) => {
        #[test]
        fn sandbox() {
            $story(&crate::stories::World::new(crate::stage::Stage::new()));
        }
    };
}
pub(crate) use on_each_stage;

pub(crate) struct Stage(World);

impl Stage {
    pub(crate) const HAS_NATIVES: bool = false;

    pub(crate) fn new() -> Self {
        Self(World::new())
    }

    /// The account of this name.
    pub(crate) fn account(&self, name: &str) -> String {
        let accounts = [world::JULIET, world::ROMEO, world::NURSE, world::BENVOLIO];
        let mut accounts = accounts
            .iter()
            .filter(|it| it.split('@').next() == Some(name));
        (*accounts.next().unwrap()).to_owned()
    }

    pub(crate) fn login(&self, bare: &str, resource: &str) -> Client {
        Client(self.0.login(bare, resource))
    }

    /// Has two see each other, and leave.
    pub(crate) fn befriend(&self, one: &str, other: &str) {
        let (one, other) = (self.0.start(one, "before"), self.0.start(other, "before"));
        world::befriend(&one, &other);
        self.0.advance(10);
        one.log_out();
        other.log_out();
    }

    /// Lets time pass until something is there.
    #[track_caller]
    pub(crate) fn wait<T>(&self, mut look: impl FnMut() -> Result<T, String>) -> T {
        let mut last = String::new();
        for _ in 0..300 {
            match look() {
                Ok(found) => return found,
                Err(why) => last = why,
            }
            self.0.advance(1);
        }
        panic!("{last}, and that for five minutes");
    }

    /// Lets all arrive that is on its way; a minute passes for paced requests.
    pub(crate) fn settle(&self, _: &[Rc<Client>]) {
        self.0.advance(60);
    }
}

pub(crate) struct Client(world::Client);

impl Client {
    pub(crate) fn say(&self, xml: &str) {
        self.0.say(xml);
    }

    /// Stanzas that have come since the last look.
    pub(crate) fn stanzas(&self) -> Vec<Node> {
        self.0.got()
    }

    pub(crate) fn log_out(&self) {
        self.0.log_out();
    }

    pub(crate) fn cut(&self) {
        self.0.cut();
    }

    pub(crate) fn kill_shim(&self) {
        self.0.close();
    }
}
