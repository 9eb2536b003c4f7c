//! Values of the `reason` label of Crossfade's HTTP metrics.

/// Why a request on the data listener is not forwarded to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestRefusal {
    /// The method is `CONNECT`: a tunnel, whose content cannot be rewritten.
    Connect,
    /// The method is neither `GET` nor `HEAD`.
    Method,
    /// The request has already passed through this gateway.
    Loop,
    /// `/metrics`, but there is more than one target.
    AmbiguousPath,
    /// Nothing is served at this path.
    UnknownPath,
    /// The request itself is wrong.
    BadRequest,
    /// The allow-list does not permit the target.
    NotAllowed,
    /// The settings do not fit the target.
    Unusable,
    /// Too many scrapes are in flight.
    Busy,
    /// Too many scrapes of one client are in flight.
    ClientBusy,
    /// Too many scrapes of one target are in flight.
    TargetBusy,
}

impl RequestRefusal {
    /// The reason as a label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RequestRefusal::Connect => "connect",
            RequestRefusal::Method => "method",
            RequestRefusal::Loop => "loop",
            RequestRefusal::AmbiguousPath => "ambiguous_path",
            RequestRefusal::UnknownPath => "path",
            RequestRefusal::BadRequest => "bad_request",
            RequestRefusal::NotAllowed => "not_allowed",
            RequestRefusal::Unusable => "unusable",
            RequestRefusal::Busy => "busy",
            RequestRefusal::ClientBusy => "client_busy",
            RequestRefusal::TargetBusy => "target_busy",
        }
    }
}

/// Why an HTTP listener refuses a request or closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionRefusal {
    /// Too many connections, and none of them is idle.
    Connections,
    /// Closed while idle, to make room for a new connection.
    MadeRoom,
    /// The process has no more file descriptors for connections of clients.
    Descriptors,
    /// The TLS handshake failed.
    Tls,
    /// The head of the request is too long.
    HeaderBytes,
    /// The head of the request, or the TLS handshake, took too long.
    HeaderTimeout,
    /// The request is not valid HTTP.
    Malformed,
    /// The client stopped reading the response.
    WriteTimeout,
    /// The client took too long to read the whole response.
    AnswerTimeout,
    /// More requests than the web configuration's `rate_limit` permits.
    Rate,
    /// No valid user name and password.
    Unauthorized,
    /// Too many passwords are waiting to be checked.
    SignIn,
}

impl ConnectionRefusal {
    /// The reason as a label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ConnectionRefusal::Connections => "connections",
            ConnectionRefusal::MadeRoom => "made_room",
            ConnectionRefusal::Descriptors => "descriptors",
            ConnectionRefusal::Tls => "tls",
            ConnectionRefusal::HeaderBytes => "header_bytes",
            ConnectionRefusal::HeaderTimeout => "header_timeout",
            ConnectionRefusal::Malformed => "malformed",
            ConnectionRefusal::WriteTimeout => "write_timeout",
            ConnectionRefusal::AnswerTimeout => "answer_timeout",
            ConnectionRefusal::Rate => "rate",
            ConnectionRefusal::Unauthorized => "unauthorized",
            ConnectionRefusal::SignIn => "sign_in",
        }
    }
}
