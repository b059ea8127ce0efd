//! The server's leg of a session while it is being made or secured, and the way back from it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::time::Instant;

use super::connector::{Connector, ServerStream, Way};
use super::route::Route;
use crate::session::{Input, Reached, ServerFacts};

/// A connection that is made or secured.
type Connecting = Pin<Box<dyn Future<Output = Result<Made, String>> + Send>>;

/// What came of it.
enum Made {
    /// A server was reached: how to go on from it, and what the session is told.
    Reached(Box<Route>, Reached, ServerStream),
    /// Its TLS is up.
    Secured(ServerStream),
}

/// How one session reaches its server.
pub(in crate::net) struct Reaching {
    pub(in crate::net) connector: Arc<Connector>,
    /// What is being made.
    connecting: Option<Connecting>,
    /// The way to other servers, as long as the client has been told nothing by the one that was reached.
    route: Option<Box<Route>>,
    /// The domain the client named.
    pub(in crate::net) domain: String,
}

impl Reaching {
    pub(in crate::net) fn new(connector: Arc<Connector>) -> Self {
        Self {
            connector,
            connecting: None,
            route: None,
            domain: String::new(),
        }
    }

    /// Begins to connect to a server of `domain`.
    pub(in crate::net) fn connect(&mut self, domain: String) {
        self.domain.clone_from(&domain);
        self.begin(Arc::clone(&self.connector).connect(domain));
    }

    /// Turns to the next server, as nothing comes of the one that was reached; the error is what the session is told
    /// if there is no way to it.
    pub(in crate::net) fn connect_next(&mut self, reason: String) -> Result<(), Input<'static>> {
        let Some(route) = self.route.take() else {
            return Err(Input::Failed(reason));
        };
        self.begin(Arc::clone(&self.connector).connect_next(route, reason));
        Ok(())
    }

    /// Turns to the host where the server that was reached wants its users; the error is what the session is told if
    /// there is no way to it.
    pub(in crate::net) fn connect_to(&mut self, host: String) -> Result<(), Input<'static>> {
        let Some(route) = self.route.take() else {
            return Err(Input::Failed(format!(
                "the server wants its users at {host}: name it with --server"
            )));
        };
        self.begin(Arc::clone(&self.connector).connect_to(route, host));
        Ok(())
    }

    /// Begins to secure the connection.
    pub(in crate::net) fn secure(&mut self, stream: ServerStream) {
        let until = self.route.as_ref().map(|route| route.until);
        let until = until.unwrap_or_else(Instant::now);
        let secure = Arc::clone(&self.connector).secure(stream, self.domain.clone(), until);
        self.connecting = Some(Box::pin(async { Ok(Made::Secured(secure.await?)) }));
    }

    /// What the session is told of what was begun, with the connection if there is one.
    pub(in crate::net) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<(Input<'static>, Option<ServerStream>)> {
        let Some(connecting) = &mut self.connecting else {
            return Poll::Pending;
        };
        let result = ready!(connecting.as_mut().poll(cx));
        self.connecting = None;
        Poll::Ready(match result {
            Ok(Made::Reached(route, reached, stream)) => {
                self.route = Some(route);
                (Input::Connected(reached), Some(stream))
            }
            Ok(Made::Secured(stream)) => (Input::Secured, Some(stream)),
            Err(reason) => (Input::Failed(reason), None),
        })
    }

    /// The client is being told something by the server that was reached: there is no way back.
    pub(in crate::net) fn settle(&mut self) {
        self.route = None;
    }

    /// Nothing is to be reached any more.
    pub(in crate::net) fn give_up(&mut self) {
        self.connecting = None;
        self.route = None;
    }

    /// Keeps what the session has learned of its server.
    pub(in crate::net) fn learn(&self, facts: ServerFacts) {
        self.connector.learn(&self.domain, facts);
    }

    fn begin(&mut self, way: impl Future<Output = Way> + Send + 'static) {
        self.connecting = Some(Box::pin(async {
            let (route, reached, stream) = way.await?;
            Ok(Made::Reached(route, reached, stream))
        }));
    }
}
