//! How two tasks make sure that a connection is the one that their daemons have arranged.
//!
//! ```text
//!   each: magic, version, nonce    -->   each: HMAC-SHA-256(token; side, own nonce, other's nonce)
//!   dialling side, on the one connection of several that it keeps: GO
//! ```
//!
//! The token is drawn for this connection alone and comes to both tasks over ways that are encrypted
//! and authenticated. Inside TLS this only ties the connection to its arrangement. On a plain
//! connection it is all the protection that there is: nobody without the token can *make* the
//! connection, or be mistaken for the other end. Whoever is on the path can still read the messages,
//! and change them.

use rustls::Tls13CipherSuite;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::crypto::tls13::OkmBlock;

/// Of the arrangement of one connection.
pub type Token = [u8; 16];

/// Where the HMAC comes from: the same provider as TLS.
const SUITE: &Tls13CipherSuite = match TLS13_AES_128_GCM_SHA256.tls13() {
    Some(suite) => suite,
    None => panic!("a suite of TLS 1.3 is one"),
};

const NONCE: usize = 16;
const MAGIC: [u8; 5] = *b"pvmd\x01";
/// Bytes of the first message.
const HELLO: usize = MAGIC.len() + NONCE;
/// Bytes of the second.
const PROOF: usize = 32;
const GO: u8 = b'>';

/// Which end of a connection this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It waits to be connected.
    Listens,
    /// It connects.
    Dials,
}

/// Why this is not the connection that was arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GreetingError {
    /// The other end is something else.
    #[error("not a task of the same release")]
    Stranger,
    /// The other end does not know the token.
    #[error("a task that was not told of this connection")]
    Token,
    /// There are no random numbers.
    #[error("the system gives no random numbers")]
    NoRandom,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Waits for the other's nonce.
    Hello,
    /// Waits for its proof.
    Proof,
    /// Both have proven themselves; waits for the dialling side to say go.
    Go,
    Done,
}

/// One side of a greeting.
pub struct Greeting {
    side: Side,
    token: Token,
    nonce: [u8; NONCE],
    peer_nonce: [u8; NONCE],
    stage: Stage,
}

impl Greeting {
    /// Begins; appends the first message to `out`.
    ///
    /// # Errors
    /// [`GreetingError::NoRandom`].
    pub fn begin(side: Side, token: Token, out: &mut Vec<u8>) -> Result<Self, GreetingError> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| GreetingError::NoRandom)?;
        Ok(Self::with_nonce(side, token, nonce, out))
    }

    /// As [`Greeting::begin`] with a nonce that was drawn before: nobody may use one twice.
    pub fn with_nonce(side: Side, token: Token, nonce: [u8; NONCE], out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&nonce);
        Self {
            side,
            token,
            nonce,
            peer_nonce: [0; NONCE],
            stage: Stage::Hello,
        }
    }

    /// Takes in what has come; appends what is to be answered. Returns how many bytes it has taken:
    /// call it again until that is 0.
    ///
    /// # Errors
    /// The connection is to be closed.
    pub fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, GreetingError> {
        match self.stage {
            Stage::Hello => self.hello(bytes, out),
            Stage::Proof => self.proof(bytes),
            Stage::Go if self.side == Side::Listens => self.go(bytes),
            Stage::Go | Stage::Done => Ok(0),
        }
    }

    /// The dialling side keeps this connection.
    pub fn choose(&mut self, out: &mut Vec<u8>) {
        if self.is_proven() && self.side == Side::Dials {
            out.push(GO);
            self.stage = Stage::Done;
        }
    }

    /// Whether the other has proven itself, and nothing but a choice is left.
    pub fn is_proven(&self) -> bool {
        self.stage == Stage::Go
    }

    /// Whether it is over: frames follow.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    fn hello(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, GreetingError> {
        let seen = bytes.len().min(MAGIC.len());
        if bytes[..seen] != MAGIC[..seen] {
            return Err(GreetingError::Stranger);
        }
        let Some(hello) = bytes.first_chunk::<HELLO>() else {
            return Ok(0);
        };
        self.peer_nonce.copy_from_slice(&hello[MAGIC.len()..]);
        out.extend_from_slice(&self.sign(self.side, &self.nonce, &self.peer_nonce));
        self.stage = Stage::Proof;
        Ok(HELLO)
    }

    fn proof(&mut self, bytes: &[u8]) -> Result<usize, GreetingError> {
        let Some(proof) = bytes.first_chunk::<PROOF>() else {
            return Ok(0);
        };
        let other = match self.side {
            Side::Listens => Side::Dials,
            Side::Dials => Side::Listens,
        };
        let expected = self.sign(other, &self.peer_nonce, &self.nonce);
        // All bytes are looked at: the time tells nothing of where they differ.
        let differences = proof
            .iter()
            .zip(&expected)
            .fold(0, |all, (a, b)| all | (a ^ b));
        if differences != 0 {
            return Err(GreetingError::Token);
        }
        self.stage = Stage::Go;
        Ok(PROOF)
    }

    fn go(&mut self, bytes: &[u8]) -> Result<usize, GreetingError> {
        match bytes.first() {
            None => Ok(0),
            Some(&GO) => {
                self.stage = Stage::Done;
                Ok(1)
            }
            Some(_) => Err(GreetingError::Stranger),
        }
    }

    fn sign(&self, side: Side, first: &[u8; NONCE], second: &[u8; NONCE]) -> [u8; PROOF] {
        let mark = match side {
            Side::Listens => b'L',
            Side::Dials => b'D',
        };
        let message = [&[mark][..], first, second].concat();
        let tag = SUITE
            .hkdf_provider
            .hmac_sign(&OkmBlock::new(&self.token), &message);
        let mut proof = [0; PROOF];
        proof.copy_from_slice(tag.as_ref());
        proof
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair(tokens: [Token; 2]) -> ([Greeting; 2], [Vec<u8>; 2]) {
        let mut wires = [Vec::new(), Vec::new()];
        let dials = Greeting::begin(Side::Dials, tokens[0], &mut wires[1]).unwrap();
        let listens = Greeting::begin(Side::Listens, tokens[1], &mut wires[0]).unwrap();
        ([dials, listens], wires)
    }

    /// Moves bytes, `step` at a time, until nothing moves.
    fn run(
        sides: &mut [Greeting; 2],
        wires: &mut [Vec<u8>; 2],
        step: usize,
    ) -> Result<(), GreetingError> {
        let mut seen = [0, 0];
        loop {
            let before = (seen, wires.each_ref().map(Vec::len));
            for me in 0..2 {
                seen[me] = (seen[me] + step).min(wires[me].len());
                let mut out = Vec::new();
                let taken = sides[me].take(&wires[me][..seen[me]], &mut out)?;
                wires[me].drain(..taken);
                seen[me] -= taken;
                wires[1 - me].extend(out);
            }
            if before == (seen, wires.each_ref().map(Vec::len)) {
                return Ok(());
            }
        }
    }

    #[test]
    fn both_are_sure_and_the_dialling_side_chooses() {
        for step in 1..60 {
            let (mut sides, mut wires) = pair([[7; 16]; 2]);
            run(&mut sides, &mut wires, step).unwrap();
            assert!(sides.iter().all(|side| side.is_proven() && !side.is_done()));
            sides[1].choose(&mut wires[0]);
            assert!(wires[0].is_empty(), "the other side has no choice");
            sides[0].choose(&mut wires[1]);
            run(&mut sides, &mut wires, step).unwrap();
            assert!(sides.iter().all(Greeting::is_done));
        }
    }

    #[test]
    fn another_token_and_ones_own_words_are_refused() {
        let (mut sides, mut wires) = pair([[7; 16], [8; 16]]);
        let result = run(&mut sides, &mut wires, 100);
        assert_eq!(result, Err(GreetingError::Token));
        let mut out = Vec::new();
        let mut mirrored = Greeting::begin(Side::Dials, [7; 16], &mut out).unwrap();
        let mut echo = Vec::new();
        assert_eq!(mirrored.take(&out, &mut echo), Ok(HELLO));
        assert_eq!(mirrored.take(&echo, &mut out), Err(GreetingError::Token));
    }

    #[test]
    fn strangers_are_known_by_their_first_byte() {
        let mut out = Vec::new();
        let mut side = Greeting::begin(Side::Listens, [7; 16], &mut out).unwrap();
        assert_eq!(
            side.take(b"GET / HTTP/1.1", &mut out),
            Err(GreetingError::Stranger)
        );
        assert_eq!(side.take(b"G", &mut out), Err(GreetingError::Stranger));
    }

    #[test]
    fn the_proof_is_the_hmac_that_it_is_said_to_be() {
        let mut side = Greeting::begin(Side::Listens, [0x0b; 16], &mut Vec::new()).unwrap();
        side.nonce = [1; NONCE];
        side.peer_nonce = [2; NONCE];
        let hash = |parts: &[&[u8]]| SUITE.common.hash_provider.hash(&parts.concat());
        let padded = |pad: u8| {
            let mut key = [pad; 64];
            key[..16].iter_mut().for_each(|byte| *byte ^= 0x0b);
            key
        };
        let inner = hash(&[&padded(0x36), b"L", &[1; NONCE], &[2; NONCE]]);
        let outer = hash(&[&padded(0x5c), inner.as_ref()]);
        let proof = side.sign(Side::Listens, &side.nonce, &side.peer_nonce);
        assert_eq!(outer.as_ref(), proof);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let mut out = Vec::new();
            let mut side = Greeting::begin(Side::Listens, [7; 16], &mut out).unwrap();
            let mut rest = &bytes[..];
            while let Ok(taken @ 1..) = side.take(rest, &mut out) {
                rest = &rest[taken..];
            }
        }
    }
}
