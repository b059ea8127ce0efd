//! The server's leg of a session while it is being connected or secured, and the route to other servers.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::time::Instant;

use super::connector::{Connector, ServerStream, Way};
use super::route::Route;
use crate::session::{Input, Reached, ServerFacts};

/// A connection attempt or a TLS handshake under way.
type Connecting = Pin<Box<dyn Future<Output = Result<Made, String>> + Send>>;

/// Result of a [`Connecting`].
enum Made {
    /// A server was reached; with the route on from it, and the facts that the session is told.
    Reached(Box<Route>, Reached, ServerStream),
    /// TLS with the server is up.
    Secured(ServerStream),
}

/// How one session reaches its server.
pub(in crate::net) struct Reaching {
    pub(in crate::net) connector: Arc<Connector>,
    /// The attempt or handshake under way.
    connecting: Option<Connecting>,
    /// The route to other servers; gone once the client has been told something by the reached one.
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

    /// Begins to connect to the next server, as the reached one is of no use for this `reason`. The error is the input
    /// for the session if there is no route any more.
    pub(in crate::net) fn connect_next(&mut self, reason: String) -> Result<(), Input<'static>> {
        let Some(route) = self.route.take() else {
            return Err(Input::Failed(reason));
        };
        self.begin(Arc::clone(&self.connector).connect_next(route, reason));
        Ok(())
    }

    /// Begins to connect to the host to which the reached server redirects its users. The error is the input for the
    /// session if there is no route any more.
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

    /// The input for the session once the attempt or handshake has ended, with the connection if it succeeded.
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

    /// Drops the route: the client is being told something by the reached server, and could not follow to another.
    pub(in crate::net) fn settle(&mut self) {
        self.route = None;
    }

    /// Drops the attempt or handshake under way, and the route.
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
