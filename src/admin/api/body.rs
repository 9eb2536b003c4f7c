//! The bodies of POST requests.

use std::error::Error as StdError;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, StatusCode};
use serde::de::DeserializeOwned;

use super::Refusal;

/// Longest body, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// How long a client may take to send it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Reads a JSON body.
///
/// The content type must be JSON: a browser sends such a request from another site only after a
/// CORS preflight, which fails here.
pub(super) async fn read<T, B>(request: Request<B>) -> Result<T, Refusal>
where
    T: DeserializeOwned,
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let json = request.headers().get(CONTENT_TYPE).is_some_and(|value| {
        let media_type = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        media_type.trim_ascii().eq_ignore_ascii_case(b"application/json")
    });
    if !json {
        let error = "send JSON, and Content-Type: application/json";
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, error.to_owned()));
    }
    let collected = Limited::new(request.into_body(), MAX_BYTES).collect();
    let bytes = match tokio::time::timeout(TIMEOUT, collected).await {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let error =
                format!("more than {MAX_BYTES} bytes; send less, or use `crossfade rewrite`");
            return Err((StatusCode::PAYLOAD_TOO_LARGE, error));
        }
        Ok(Err(error)) => return Err((StatusCode::BAD_REQUEST, error.to_string())),
        Err(_) => return Err((StatusCode::REQUEST_TIMEOUT, "the body took too long".to_owned())),
    };
    serde_json::from_slice(&bytes).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}
