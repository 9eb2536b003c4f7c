//! Users and their passwords.
//!
//! bcrypt is slow on purpose: tens of milliseconds of a CPU. An accepted password is remembered as a
//! keyed hash, one per user, so that only the first scrape pays for it. It stays remembered when the
//! file is read again, unless the user's line has changed. Refused passwords are not remembered;
//! [`Turns`] decides which password is hashed next.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bcrypt::HashParts;
use hyper::header::HeaderValue;
use ring::hmac::{self, Key, Tag};
use ring::rand::SystemRandom;

use super::file::Text;
use super::turns::{NoTurn, Turns};
use crate::document::{Reader, Scalar};

/// Highest bcrypt cost: some seconds for each password. With a mistyped cost, one would take hours.
const MAX_COST: u32 = 16;

/// The users of a web configuration file.
pub(in crate::http_server) struct Users {
    by_name: BTreeMap<String, Arc<User>>,
    shared: Arc<Shared>,
}

/// What users that are read again share with the previous ones.
struct Shared {
    /// For remembered passwords. Each process has its own, so they are of no use elsewhere.
    key: Key,
    turns: Arc<Turns>,
}

struct User {
    hash: Arc<str>,
    /// The keyed hash of the accepted password.
    accepted: Mutex<Option<Tag>>,
}

/// The result of a credentials check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http_server) enum SignIn {
    /// The password is right.
    Accepted,
    /// The credentials are missing or wrong.
    Refused,
    /// Too many passwords wait to be hashed.
    Busy,
    /// Too many wrong passwords came from the client's address.
    Guessing,
}

impl Users {
    /// Users as in a file. `before` are the users in use, if there are any.
    ///
    /// Errors have no excerpts: what is in place of a hash may be a password.
    pub(super) fn new(
        written: Vec<(Scalar, Text)>,
        before: Option<&Users>,
        errors: &mut Reader<'_>,
    ) -> Users {
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
            let known = before.and_then(|before| before.by_name.get(&name));
            let user = match known {
                Some(known) if *known.hash == *hash.value => Arc::clone(known),
                _ => Arc::new(User { hash: hash.value.into(), accepted: Mutex::new(None) }),
            };
            users.insert(name, user);
        }
        let shared = before.map_or_else(Shared::new, |before| Arc::clone(&before.shared));
        Users { by_name: users, shared }
    }

    /// Checks the value of an `Authorization` header that `client` has sent.
    pub(in crate::http_server) async fn sign_in(
        &self,
        client: Option<IpAddr>,
        header: Option<&HeaderValue>,
    ) -> SignIn {
        let Some((name, password)) = header.and_then(credentials) else {
            return SignIn::Refused;
        };
        let user = self.by_name.get(&name);
        let is_remembered = || user.is_some_and(|user| self.shared.remembers(user, &password));
        if is_remembered() {
            return SignIn::Accepted;
        }
        let turns = &self.shared.turns;
        let turn = match turns.take(turns.source(client, &name)).await {
            Ok(turn) => turn,
            Err(NoTurn::Busy) => return SignIn::Busy,
            Err(NoTurn::Guessing) => return SignIn::Guessing,
        };
        // Another request of this user may have been hashed meanwhile.
        if is_remembered() {
            return SignIn::Accepted;
        }
        // A user who does not exist takes as long as one who does.
        let Some(against) = user.or_else(|| self.by_name.values().next()) else {
            return SignIn::Refused;
        };
        let (against, exists) = (Arc::clone(against), user.is_some());
        let tag = hmac::sign(&self.shared.key, &password);
        // Runs to its end, even if the client has left: it keeps the turn, and counts.
        let hash = move || {
            let is_right = bcrypt::verify(password, &against.hash).unwrap_or(false) && exists;
            if is_right {
                *against.accepted.lock().unwrap_or_else(PoisonError::into_inner) = Some(tag);
            } else {
                turn.failed();
            }
            is_right
        };
        match tokio::task::spawn_blocking(hash).await {
            Ok(true) => SignIn::Accepted,
            _ => SignIn::Refused,
        }
    }
}

impl Shared {
    fn new() -> Arc<Shared> {
        let key = Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        let key = key.expect("the operating system has random numbers");
        Arc::new(Shared { key, turns: Arc::default() })
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
    use std::time::Duration;

    use super::*;
    use crate::document::{Source, Span, Style};

    const CLIENT: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    fn user(name: &str, password: &str) -> (Scalar, Text) {
        let (span, style) = (Span::default(), Style::Plain);
        let value = bcrypt::hash(password, 4).expect("a hash");
        (Scalar { text: name.into(), span, style }, Text { value, span })
    }

    fn read(written: Vec<(Scalar, Text)>, before: Option<&Users>) -> Users {
        let source = Source::new("web.yaml", "");
        let mut errors = Reader::new(&source, "");
        let users = Users::new(written, before, &mut errors);
        assert!(errors.is_clean());
        users
    }

    fn users() -> Users {
        read(vec![user("alice", "pass:word")], None)
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
            assert_eq!(users.sign_in(CLIENT, header.as_ref()).await, expected, "{header:?}");
        }
    }

    #[tokio::test]
    async fn only_the_first_time_is_hashed() {
        let users = users();
        let right = basic("alice:pass:word");
        assert_eq!(users.sign_in(CLIENT, Some(&right)).await, SignIn::Accepted);
        let turns = &users.shared.turns;
        let _turn = turns.take(turns.source(CLIENT, "bob")).await.expect("a turn");
        let remembered = users.sign_in(CLIENT, Some(&right));
        let remembered = tokio::time::timeout(Duration::from_secs(20), remembered).await;
        assert_eq!(remembered, Ok(SignIn::Accepted));
    }

    #[tokio::test]
    async fn an_unchanged_line_stays_remembered() {
        let (alice, bob) = (user("alice", "a"), user("bob", "b"));
        let before = read(vec![alice.clone(), bob], None);
        for credentials in ["alice:a", "bob:b"] {
            assert_eq!(before.sign_in(CLIENT, Some(&basic(credentials))).await, SignIn::Accepted);
        }
        let after = read(vec![alice, user("bob", "new")], Some(&before));
        let remembers = |name: &str, password: &str| {
            after.shared.remembers(&after.by_name[name], password.as_bytes())
        };
        assert!(remembers("alice", "a"));
        assert!(!remembers("bob", "b"), "its password has changed");
        assert_eq!(after.sign_in(CLIENT, Some(&basic("bob:b"))).await, SignIn::Refused);
        assert_eq!(after.sign_in(CLIENT, Some(&basic("bob:new"))).await, SignIn::Accepted);
    }

    #[tokio::test]
    async fn guessers_keep_no_one_out() {
        let users = users();
        let other = Some(IpAddr::from([192, 0, 2, 2]));
        let mut limited = false;
        for guess in 0..100 {
            let guess = basic(&format!("alice:{guess}"));
            limited |= users.sign_in(other, Some(&guess)).await == SignIn::Guessing;
        }
        assert!(limited, "guesses are refused without hashing");
        let right = basic("alice:pass:word");
        assert_eq!(users.sign_in(other, Some(&right)).await, SignIn::Guessing);
        assert_eq!(users.sign_in(CLIENT, Some(&right)).await, SignIn::Accepted);
        assert_eq!(users.sign_in(other, Some(&right)).await, SignIn::Accepted, "remembered");
    }

    #[tokio::test]
    async fn a_guess_counts_even_if_its_client_leaves() {
        let users = users();
        let (wrong, turns) = (basic("alice:wrong"), &users.shared.turns);
        // The client leaves while its password is hashed, unless this thread has to wait meanwhile.
        tokio::select! {
            biased;
            _ = users.sign_in(CLIENT, Some(&wrong)) => {}
            () = std::future::ready(()) => {}
        }
        let source = turns.source(CLIENT, "alice");
        drop(turns.take(source).await.expect("after the hash"));
        assert_eq!(turns.failures(source), 1);
    }
}
