//! Logins: PLAIN (RFC 4616), SCRAM-SHA-1 (RFC 5802) and SCRAM-SHA-256 (RFC 7677), the server's side.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::config::{Directory, normal};
use super::random::Random;

/// Iterations of SCRAM: the least RFC 7677 §4 allows.
const ITERATIONS: u32 = 4096;

/// Offered mechanisms, the best first.
pub(super) const MECHANISMS: [&str; 3] = ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"];

/// Why a login failed (RFC 6120 §6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure(pub(super) &'static str);

const MALFORMED: Failure = Failure("malformed-request");
const NOT_AUTHORIZED: Failure = Failure("not-authorized");

/// The next step of a login.
pub(super) enum Step {
    /// A challenge for the client to answer (base64).
    Challenge(String),
    /// Logged in as this bare JID, with the data of `<success/>` (base64).
    Success {
        account: String,
        data: Option<String>,
    },
}

/// A login under way.
pub(super) struct Exchange {
    hash: Option<Hash>,
    /// The first messages of client (without its header) and server, once exchanged.
    scram: Option<Scram>,
}

#[derive(Clone, Copy)]
enum Hash {
    Sha1,
    Sha256,
}

struct Scram {
    account: String,
    password: Option<String>,
    salt: Vec<u8>,
    nonce: String,
    /// The gs2 header as `c=` has to repeat it.
    header: String,
    client_first: String,
    server_first: String,
}

impl Exchange {
    pub(super) fn new(mechanism: &str) -> Result<Self, Failure> {
        let hash = match mechanism {
            "PLAIN" => None,
            "SCRAM-SHA-1" => Some(Hash::Sha1),
            "SCRAM-SHA-256" => Some(Hash::Sha256),
            _ => return Err(Failure("invalid-mechanism")),
        };
        Ok(Self { hash, scram: None })
    }

    /// Handles a message of the client (base64); `domain` is the stream's.
    pub(super) fn step(
        &mut self,
        text: &str,
        domain: &str,
        directory: &Directory,
        random: &mut Random,
    ) -> Result<Step, Failure> {
        let text = match text.trim() {
            // No initial response: the client is asked for it (RFC 6120 §6.4.2).
            "" if self.scram.is_none() => return Ok(Step::Challenge(String::new())),
            "=" => Vec::new(),
            text => BASE64
                .decode(text)
                .map_err(|_| Failure("incorrect-encoding"))?,
        };
        let text = String::from_utf8(text).map_err(|_| MALFORMED)?;
        match (self.hash, self.scram.take()) {
            (None, _) => plain(&text, domain, directory),
            (Some(_), None) => {
                let scram = Scram::begin(&text, domain, directory, random)?;
                let challenge = BASE64.encode(&scram.server_first);
                self.scram = Some(scram);
                Ok(Step::Challenge(challenge))
            }
            (Some(hash), Some(scram)) => scram.finish(&text, hash),
        }
    }
}

fn plain(text: &str, domain: &str, directory: &Directory) -> Result<Step, Failure> {
    let mut parts = text.split('\0');
    let (Some(authzid), Some(name), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(MALFORMED);
    };
    let account = account(name, authzid, domain)?;
    let known = directory.accounts.get(&account).ok_or(NOT_AUTHORIZED)?;
    // Hashes are compared, so that the time taken does not tell where the passwords differ.
    if Sha256::digest(known) != Sha256::digest(password) {
        return Err(NOT_AUTHORIZED);
    }
    Ok(Step::Success {
        account,
        data: None,
    })
}

/// The bare JID of the user `name`; `authzid` must be empty or the same account.
fn account(name: &str, authzid: &str, domain: &str) -> Result<String, Failure> {
    if name.is_empty() || name.contains('@') {
        return Err(NOT_AUTHORIZED);
    }
    let account = normal(&format!("{name}@{domain}"));
    if !authzid.is_empty() && normal(authzid) != account {
        return Err(Failure("invalid-authzid"));
    }
    Ok(account)
}

impl Scram {
    /// Answers the client's first message (RFC 5802 §5).
    fn begin(
        text: &str,
        domain: &str,
        directory: &Directory,
        random: &mut Random,
    ) -> Result<Self, Failure> {
        let mut parts = text.splitn(3, ',');
        let (Some(binding), Some(authzid), Some(client_first)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Err(MALFORMED);
        };
        // Without TLS there is no channel binding; `y`: the client would support it.
        if binding != "n" && binding != "y" {
            return Err(MALFORMED);
        }
        let header = format!("{binding},{authzid},");
        let authzid = unescape(authzid.strip_prefix("a=").unwrap_or_default())?;
        let mut attributes = client_first.split(',');
        let name = attribute(attributes.next(), "n=")?;
        let client_nonce = attribute(attributes.next(), "r=")?;
        let account = account(&unescape(name)?, &authzid, domain)?;
        let password = directory.accounts.get(&account).cloned();
        let salt = random.hash(b"salt", account.as_bytes())[..16].to_vec();
        let nonce = format!("{client_nonce}{}", random.id());
        Ok(Self {
            server_first: format!("r={nonce},s={},i={ITERATIONS}", BASE64.encode(&salt)),
            account,
            password,
            salt,
            nonce,
            header,
            client_first: client_first.to_owned(),
        })
    }

    /// Checks the client's proof; an account that does not exist fails only here, too.
    fn finish(self, text: &str, hash: Hash) -> Result<Step, Failure> {
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(MALFORMED)?;
        let mut attributes = without_proof.split(',');
        let header = attribute(attributes.next(), "c=")?;
        let nonce = attribute(attributes.next(), "r=")?;
        if header != BASE64.encode(&self.header) || nonce != self.nonce {
            return Err(NOT_AUTHORIZED);
        }
        let proof = BASE64.decode(proof).map_err(|_| MALFORMED)?;
        let message = format!(
            "{},{},{without_proof}",
            self.client_first, self.server_first
        );
        let password = self.password.ok_or(NOT_AUTHORIZED)?;
        let keys = hash.keys(password.as_bytes(), &self.salt)?;
        let signature = hash.hmac(&hash.digest(&keys.client), message.as_bytes())?;
        if proof.len() != signature.len() {
            return Err(NOT_AUTHORIZED);
        }
        let claimed: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        if hash.digest(&claimed) != hash.digest(&keys.client) {
            return Err(NOT_AUTHORIZED);
        }
        let verifier = hash.hmac(&keys.server, message.as_bytes())?;
        Ok(Step::Success {
            account: self.account,
            data: Some(BASE64.encode(format!("v={}", BASE64.encode(verifier)))),
        })
    }
}

struct Keys {
    client: Vec<u8>,
    server: Vec<u8>,
}

impl Hash {
    fn keys(self, password: &[u8], salt: &[u8]) -> Result<Keys, Failure> {
        let mut salted = vec![0; self.digest(b"").len()];
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, ITERATIONS, &mut salted),
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, ITERATIONS, &mut salted),
        }
        Ok(Keys {
            client: self.hmac(&salted, b"Client Key")?,
            server: self.hmac(&salted, b"Server Key")?,
        })
    }

    fn digest(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(data).to_vec(),
            Self::Sha256 => Sha256::digest(data).to_vec(),
        }
    }

    fn hmac(self, key: &[u8], data: &[u8]) -> Result<Vec<u8>, Failure> {
        fn mac<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Result<Vec<u8>, Failure> {
            // A key of HMAC may have any length.
            let mut mac = M::new_from_slice(key).map_err(|_| Failure("temporary-auth-failure"))?;
            mac.update(data);
            Ok(mac.finalize().into_bytes().to_vec())
        }
        match self {
            Self::Sha1 => mac::<Hmac<Sha1>>(key, data),
            Self::Sha256 => mac::<Hmac<Sha256>>(key, data),
        }
    }
}

fn attribute<'a>(part: Option<&'a str>, prefix: &str) -> Result<&'a str, Failure> {
    let value = part
        .and_then(|it| it.strip_prefix(prefix))
        .ok_or(MALFORMED)?;
    if value.is_empty() {
        Err(MALFORMED)
    } else {
        Ok(value)
    }
}

/// A name as SCRAM writes it: `,` and `=` are `=2C` and `=3D`.
fn unescape(name: &str) -> Result<String, Failure> {
    let plain = name.replace("=2C", ",").replace("=3D", "\0");
    if plain.contains('=') {
        return Err(MALFORMED);
    }
    Ok(plain.replace('\0', "="))
}
