//! `pubshim translate`: tries stanzas of files or standard input one by one. `pubshim explain` shares this.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::fixture::{Header, Roster, Step, Trial, TrialStep, Tryout, read_stanza, with_resource};
use crate::jid;
use crate::ns;
use crate::session::{Chat, Function, Leg, Options, Policy};
use crate::xml::{Element, FrameKind, Framer, Limits, XmlError};

/// Text below the help.
pub const AFTER_HELP: &str = "\
The session is logged in, available, and has a roster: romeo@montague.lit, nurse@capulet.lit, benvolio@montague.lit
and juliet@capulet.lit, as in the listings, or --roster. They are online and behind pubshim, and a small publish-subscribe
server answers what pubshim asks. What has to come first is done first: who talks in a room has joined it, who is
approved has asked. -v shows all of that.

Examples:
  echo \"<presence><status>Moping</status></presence>\" | pubshim translate
      Listing 1 becomes listing 3: what the shim would send, as steps of a fixture
  echo \"<presence to='bard@shakespeare.lit' type='subscribe'/>\" | pubshim translate --policy pure
      Listing 5 becomes listing 9
  echo \"<presence to='bard@shakespeare.lit' type='subscribed'/>\" | pubshim translate
      Listing 7 becomes listing 11
  echo \"<presence to='characters@chat.shakespeare.lit/JC'/>\" | pubshim translate --policy pure
      Listing 12 becomes listing 13
  echo \"<message to='romeo@montague.lit' type='chat'><body>hi</body></message>\" | pubshim translate --policy pure
      A message becomes listings 18 and 19
  pubshim translate --from server --to client --null events.xml | xargs -0 -n1 echo
      Only what the client would get of the events in a file, bare, with NUL behind each stanza
  echo \"<message to='romeo@montague.lit'><subject>hi</subject></message>\" | pubshim explain --policy pure
      Which rules apply, and the listings they come from; what waits, is refused or is dropped, and why

Exit codes:
  0  all was read
  2  usage, or something that is no stanza or no roster
  3  a file, standard input or standard output failed";

/// Options of `pubshim translate` and `pubshim explain`. The documentation of a field is its help.
#[derive(Clone, Debug, Args)]
pub struct TranslateOptions {
    /// Files with stanzas; `-`, and none: standard input.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Side that sends the stanzas.
    #[arg(long, value_name = "SIDE", value_parser = side(), default_value = "client")]
    pub from: Leg,

    /// The client's full JID. By default the first stanza's sender, with `--from server` its receiver; else
    /// juliet@capulet.lit/balcony.
    #[arg(long, value_name = "JID", value_parser = full_jid)]
    pub account: Option<String>,

    /// A file with the contacts: the `<query xmlns='jabber:iq:roster'>` a server sends. By
    /// default people of the listings. A JID with a resource says where the contact is online.
    #[arg(long, value_name = "FILE")]
    pub roster: Option<PathBuf>,

    /// How much pubshim translates to publish-subscribe (XEP-0207).
    #[arg(long, value_name = "POLICY", value_enum, default_value = "auto")]
    pub policy: Policy,

    /// Functions left to classic XMPP; may be repeated.
    #[arg(long, value_name = "FUNCTION", value_enum, value_delimiter = ',')]
    pub native: Vec<Function>,

    /// When one-to-one messages go by publish-subscribe under `--policy auto`.
    #[arg(long, value_name = "WHEN", value_enum, default_value = "auto")]
    pub chat: Chat,

    /// Publish-subscribe services whose nodes are rooms; may be repeated.
    #[arg(long, value_name = "DOMAIN", value_delimiter = ',', value_parser = domain)]
    #[arg(default_value = "chat.shakespeare.lit")]
    pub rooms: Vec<String>,

    /// Also show the stanzas said first, and the server's answers.
    #[arg(short, long)]
    pub verbose: bool,
}

/// Options of `pubshim translate` alone. The documentation of a field is its help.
#[derive(Clone, Debug, Args)]
pub struct PrintOptions {
    /// Print only the XML that is sent to this side.
    #[arg(long, value_name = "SIDE", value_parser = side(), conflicts_with = "verbose")]
    pub to: Option<Leg>,

    /// Put a NUL behind each piece of XML instead of a newline; with --to.
    #[arg(short = '0', long, requires = "to")]
    pub null: bool,
}

const CANNOT_WRITE: &str = "cannot write to standard output";

/// Why a stanza cannot be tried: the input, the roster or the account is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CannotTry(String);

/// Reads a side of a session.
fn side() -> impl TypedValueParser<Value = Leg> {
    let sides = [
        PossibleValue::new("client").help("The classic client"),
        PossibleValue::new("server").help("The server"),
    ];
    PossibleValuesParser::new(sides).map(|side| match &*side {
        "client" => Leg::Client,
        _ => Leg::Server,
    })
}

fn full_jid(text: &str) -> Result<String, &'static str> {
    match jid::resource(text) {
        Some(resource) if !resource.is_empty() && jid::local(text).is_some() => {
            Ok(jid::prepared(text).into_owned())
        }
        _ => Err("expected a full JID such as juliet@capulet.lit/balcony"),
    }
}

fn domain(text: &str) -> Result<String, &'static str> {
    let domain = text.to_lowercase();
    match jid::is_domain(&domain) {
        true => Ok(domain),
        false => Err("expected a domain such as chat.shakespeare.lit"),
    }
}

/// Prints for each stanza what pubshim would send.
pub fn translate(
    options: &TranslateOptions,
    print: &PrintOptions,
    input: impl BufRead,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    each_stanza(options, input, out, |_, tried, out| {
        let Some(only) = print.to else {
            let is_shown =
                |said: &&TrialStep| options.verbose || matches!(said, TrialStep::Output(_));
            let mut said = tried.said.iter().filter(is_shown);
            return said.try_for_each(|step| write!(out, "{step}"));
        };
        let mut sent = tried.sent(only);
        sent.try_for_each(|(_, xml)| write!(out, "{xml}{}", if print.null { '\0' } else { '\n' }))
    })
}

impl TranslateOptions {
    /// Tries a stanza; begins the session with the first, which may name the account.
    fn try_stanza(
        &self,
        tryout: &mut Option<Tryout>,
        text: &str,
        out: &mut impl Write,
    ) -> anyhow::Result<Trial> {
        let tryout = match tryout {
            Some(tryout) => tryout,
            none => {
                let mut tryout = self.begin(text)?;
                self.show("# The login", &tryout.take_login(), out)?;
                none.insert(tryout)
            }
        };
        let tried = tryout.stanza(self.from, text);
        self.show("# What comes first", &tried.before, out)?;
        if self.verbose {
            let stanza = TrialStep::Input(Step::From(self.from, text.to_owned()));
            write!(out, "# The stanza\n{stanza}").context(CANNOT_WRITE)?;
        }
        Ok(tried)
    }

    /// Begins a session that suits the first stanza.
    fn begin(&self, first: &str) -> anyhow::Result<Tryout> {
        let usual = Header::default();
        let named = || read_stanza(first, |stanza| self.account_of(stanza)).flatten();
        let account = self.account.clone().or_else(named);
        let account = account.unwrap_or(usual.account);
        let roster = match &self.roster {
            Some(path) => read_roster(path)?,
            None => Roster::of_the_listings(&account),
        };
        let header = Header {
            account,
            options: Options {
                policy: self.policy,
                native: self.native.clone(),
                chat: self.chat,
                rooms: self.rooms.clone(),
                rooms_open: true,
                ..usual.options
            },
            ..usual
        };
        let refused = || CannotTry(format!("nobody can log in as {:?}", header.account));
        Ok(Tryout::new(&header, &roster).ok_or_else(refused)?)
    }

    /// Account of the client, as a stanza addresses it.
    fn account_of(&self, stanza: &Element<'_>) -> Option<String> {
        let name = match self.from {
            Leg::Client => "from",
            Leg::Server => "to",
        };
        let address = stanza.attribute(name)?;
        let address = jid::prepare(&address)?;
        jid::is_account(jid::bare(&address)).then(|| with_resource(&address))
    }

    /// With -v, prints steps below a heading.
    fn show(&self, heading: &str, said: &[TrialStep], out: &mut impl Write) -> anyhow::Result<()> {
        if !self.verbose || said.is_empty() {
            return Ok(());
        }
        let steps: String = said.iter().map(ToString::to_string).collect();
        write!(out, "{heading}\n{steps}\n").context(CANNOT_WRITE)
    }
}

fn read_roster(path: &Path) -> anyhow::Result<Roster> {
    let name = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    let roster = Roster::parse(&text);
    Ok(roster.map_err(|error| CannotTry(format!("{name}: {error}")))?)
}

/// Tries the stanzas of all files, or of standard input, one by one, as soon as each is complete.
pub(super) fn each_stanza<W: Write>(
    options: &TranslateOptions,
    mut input: impl BufRead,
    out: &mut W,
    mut tell: impl FnMut(&str, &Trial, &mut W) -> io::Result<()>,
) -> anyhow::Result<()> {
    let mut tryout = None;
    let mut each = |text: &str| {
        let tried = options.try_stanza(&mut tryout, text, out)?;
        tell(text, &tried, out).context(CANNOT_WRITE)?;
        out.flush().context(CANNOT_WRITE)
    };
    let standard_input = [PathBuf::from("-")];
    let files = match &options.files[..] {
        [] => &standard_input[..],
        files => files,
    };
    for path in files {
        if path.as_os_str() == "-" {
            stanzas_of("standard input", &mut input, &mut each)?;
            continue;
        }
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
        stanzas_of(&name, &mut BufReader::new(file), &mut each)?;
    }
    Ok(())
}

/// Gives `each` the stanzas of one input.
fn stanzas_of(
    name: &str,
    input: &mut impl BufRead,
    each: &mut impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let no_stanza = |line, error| CannotTry(format!("{name}, line {line}: {error}"));
    let header = format!(
        "<s:stream xmlns='{}' xmlns:s='{}' xmlns:stream='{}'>",
        ns::CLIENT,
        ns::STREAM,
        ns::STREAM
    );
    let mut framer = Framer::new(Limits::AFTER_LOGIN);
    framer.next(header.as_bytes())?;
    let (mut pending, mut line) = (Vec::new(), 1);
    loop {
        let read = input.fill_buf();
        let read = read.with_context(|| format!("cannot read {name}"))?;
        let (is_end, count) = (read.is_empty(), read.len());
        // `--null` puts a NUL between stanzas; here it counts as white space.
        pending.extend(
            read.iter()
                .map(|byte| if *byte == 0 { b'\n' } else { *byte }),
        );
        input.consume(count);
        while let Some(frame) = framer
            .next(&pending)
            .map_err(|error| no_stanza(line, error))?
        {
            let bytes: Vec<_> = pending.drain(..frame.len).collect();
            let text = String::from_utf8_lossy(&bytes);
            if frame.kind == FrameKind::Element {
                each(&text)?;
            }
            line += text.matches('\n').count();
        }
        if is_end && !pending.is_empty() {
            let error = XmlError::NotWellFormed("an element is not closed");
            return Err(no_stanza(line, error).into());
        }
        if is_end {
            return Ok(());
        }
    }
}
