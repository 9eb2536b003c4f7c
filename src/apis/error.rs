//! Why an API has no usable response.

use serde::de::DeserializeOwned;

use crate::http_client::{Blocking, Error, Request};

/// The longest response, in bytes: that of the largest file that `audit` reads.
const MAX_BYTES: usize = 64 << 20;

/// Why an API has no usable response. Texts contain no secrets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// There is no response, or it is an error.
    #[error(transparent)]
    Http(#[from] Error),
    /// The response is not the expected one.
    #[error("the response of {path} is not that of {server}: {error}; check the URL")]
    Unexpected {
        /// What was requested.
        path: &'static str,
        /// Who should have answered.
        server: &'static str,
        /// What is wrong.
        error: String,
    },
}

impl ApiError {
    /// Whether it is certain that the server did not do what was requested.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            ApiError::Http(Error::Status { status, .. }) => status.is_client_error(),
            ApiError::Http(error) => matches!(
                error,
                Error::Url(_)
                    | Error::UserInUrl
                    | Error::Credentials(_)
                    | Error::Resolve { .. }
                    | Error::Connect(_)
                    | Error::Tls(_)
                    | Error::Redirect { .. }
            ),
            ApiError::Unexpected { .. } => false,
        }
    }
}

/// Sends a request and reads the response as JSON.
pub(super) fn fetch<T: DeserializeOwned>(
    client: &Blocking,
    request: Request,
    (path, server): (&'static str, &'static str),
) -> Result<T, ApiError> {
    let body = client.fetch(request.accept_json().accept_gzip(), MAX_BYTES)?;
    serde_json::from_slice(&body).map_err(|error| ApiError::Unexpected {
        path,
        server,
        error: error.to_string(),
    })
}

/// Sends a request and reads the response as a text.
pub(super) fn fetch_text(
    client: &Blocking,
    request: Request,
    (path, server): (&'static str, &'static str),
) -> Result<String, ApiError> {
    let body = client.fetch(request.accept_json().accept_gzip(), MAX_BYTES)?;
    String::from_utf8(body.into()).map_err(|error| ApiError::Unexpected {
        path,
        server,
        error: error.to_string(),
    })
}
