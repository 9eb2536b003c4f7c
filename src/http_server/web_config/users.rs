//! Users and their passwords.
//!
//! bcrypt is slow on purpose: tens of milliseconds of a CPU. The last accepted password of each
//! user is remembered as a keyed hash, so that only the first scrape pays. Refused passwords are
//! not remembered; one is hashed at a time and few may wait, so that guessing uses at most one CPU.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bcrypt::HashParts;
use hyper::header::HeaderValue;
use ring::hmac::{self, Key, Tag};
use ring::rand::SystemRandom;
use tokio::sync::Semaphore;

use super::file::Text;
use crate::document::{Reader, Scalar};

/// The highest bcrypt cost: some seconds for each guess. A typing error must not use a CPU for an
/// hour.
const MAX_COST: u32 = 16;

/// Maximum number of passwords that wait to be hashed.
const MAX_WAITING: usize = 16;

/// The users and their password hashes.
pub(in crate::http_server) struct Users {
    by_name: BTreeMap<String, User>,
    /// The key of the remembered hashes. Random for each process.
    key: Key,
    hashing: Semaphore,
    waiting: Semaphore,
}

struct User {
    hash: Arc<str>,
    /// The keyed hash of the last accepted password.
    accepted: Mutex<Option<Tag>>,
}

/// The result of a credentials check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http_server) enum SignIn {
    /// They are correct.
    Accepted,
    /// The credentials are missing or wrong.
    Refused,
    /// Too many passwords wait to be hashed.
    Busy,
}

impl Users {
    /// Without excerpts, because a password may be in the place of a hash.
    pub(super) fn new(written: Vec<(Scalar, Text)>, errors: &mut Reader<'_>) -> Users {
        let mut users = BTreeMap::new();
        for (Scalar { text: name, span, .. }, hash) in written {
            let mut error = |span, message: String, help: String| {
                let error = errors.source().error(span, message, help).without_excerpt();
                errors.record(error);
            };
            if name.is_empty() {
                error(span, "a user has no name".into(), "give the user a name".into());
            } else if name.contains(':') {
                let message = format!("`{name}` has a colon, which ends a user name");
                error(span, message, "remove the colon".into());
            }
            match hash.value.parse::<HashParts>() {
                Ok(parts) if parts.get_cost() > MAX_COST => {
                    let cost = parts.get_cost();
                    let message =
                        format!("{name}: cost {cost} would take minutes for each password");
                    error(hash.span, message, format!("use a cost from 10 to {MAX_COST}"));
                }
                Ok(_) => {}
                Err(_) => error(
                    hash.span,
                    format!("{name}: the password is not a bcrypt hash"),
                    format!("make one with `htpasswd -nBC 10 {name}`"),
                ),
            }
            let hash = hash.value.into();
            users.insert(name, User { hash, accepted: Mutex::new(None) });
        }
        let key = Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        Users {
            by_name: users,
            key: key.expect("the operating system has random numbers"),
            hashing: Semaphore::new(1),
            waiting: Semaphore::new(MAX_WAITING),
        }
    }

    /// Checks the value of an `Authorization` header.
    pub(in crate::http_server) async fn sign_in(&self, header: Option<&HeaderValue>) -> SignIn {
        let Some((name, password)) = header.and_then(credentials) else {
            return SignIn::Refused;
        };
        let user = self.by_name.get(&name);
        if user.is_some_and(|user| self.remembers(user, &password)) {
            return SignIn::Accepted;
        }
        let Ok(_waiting) = self.waiting.try_acquire() else {
            return SignIn::Busy;
        };
        let _turn = self.hashing.acquire().await.expect("it is never closed");
        // A request before this one may have had the same password.
        if user.is_some_and(|user| self.remembers(user, &password)) {
            return SignIn::Accepted;
        }
        // An unknown name takes as long as a known one.
        let Some(against) = user.or_else(|| self.by_name.values().next()) else {
            return SignIn::Refused;
        };
        let hash = Arc::clone(&against.hash);
        let tag = hmac::sign(&self.key, &password);
        let hashed = tokio::task::spawn_blocking(move || bcrypt::verify(password, &hash)).await;
        match (user, hashed) {
            (Some(user), Ok(Ok(true))) => {
                *user.accepted.lock().unwrap_or_else(PoisonError::into_inner) = Some(tag);
                SignIn::Accepted
            }
            _ => SignIn::Refused,
        }
    }

    /// In constant time.
    fn remembers(&self, user: &User, password: &[u8]) -> bool {
        let accepted = *user.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.is_some_and(|tag| hmac::verify(&self.key, password, tag.as_ref()).is_ok())
    }
}

/// The name and the password of a `Basic` header.
fn credentials(header: &HeaderValue) -> Option<(String, Vec<u8>)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    let colon = memchr::memchr(b':', &decoded)?;
    let (name, password) = decoded.split_at(colon);
    Some((String::from_utf8(name.to_vec()).ok()?, password.strip_prefix(b":")?.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Source, Span, Style};

    fn users() -> Users {
        let hash = bcrypt::hash("pass:word", 4).expect("a hash");
        let source = Source::new("web.yaml", "");
        let mut errors = Reader::new(&source, "");
        let (span, style) = (Span::default(), Style::Plain);
        let alice = Scalar { text: "alice".into(), span, style };
        let users = Users::new(vec![(alice, Text { value: hash, span })], &mut errors);
        assert!(errors.is_clean());
        users
    }

    fn basic(credentials: &str) -> HeaderValue {
        let encoded = BASE64_STANDARD.encode(credentials);
        HeaderValue::try_from(format!("Basic {encoded}")).expect("base64 is text")
    }

    #[tokio::test]
    async fn who_comes_in() {
        let users = users();
        for (header, expected) in [
            (None, SignIn::Refused),
            (Some(basic("alice:pass:word")), SignIn::Accepted),
            (Some(basic("alice:pass:word")), SignIn::Accepted),
            (Some(basic("alice:pass")), SignIn::Refused),
            (Some(basic("alice:")), SignIn::Refused),
            (Some(basic("alice")), SignIn::Refused),
            (Some(basic("bob:pass:word")), SignIn::Refused),
            (Some(basic(":")), SignIn::Refused),
            (Some(HeaderValue::from_static("Basic ?")), SignIn::Refused),
            (Some(HeaderValue::from_static("Bearer x")), SignIn::Refused),
            (Some(HeaderValue::from_static("Basic")), SignIn::Refused),
        ] {
            assert_eq!(users.sign_in(header.as_ref()).await, expected, "{header:?}");
        }
    }

    #[tokio::test]
    async fn only_the_first_time_is_hashed() {
        let users = users();
        let right = basic("alice:pass:word");
        assert_eq!(users.sign_in(Some(&right)).await, SignIn::Accepted);
        // No password can be hashed any more, but a remembered one is accepted.
        let _turn = users.hashing.acquire().await.expect("open");
        assert_eq!(users.sign_in(Some(&right)).await, SignIn::Accepted);
        let _waiting = users.waiting.acquire_many(16).await.expect("open");
        assert_eq!(users.sign_in(Some(&basic("alice:wrong"))).await, SignIn::Busy);
        assert_eq!(users.sign_in(Some(&right)).await, SignIn::Accepted);
    }
}
