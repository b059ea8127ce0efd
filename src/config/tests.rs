//! Options and settings: values, refusals, and which source wins.

use std::io::Write;

use super::*;
use crate::cli::{Cli, Command};
use crate::fixture::Kept;
use crate::session::{Function, Security};
use crate::view::Form;

/// The options of `pubshim run` with these arguments.
fn flags(args: &str) -> RunOptions {
    let args = ["pubshim", "run"]
        .into_iter()
        .chain(args.split_whitespace());
    match Cli::try_from_args(args).expect("usage").command {
        Command::Run(options) => *options,
        _ => unreachable!("it says run"),
    }
}

fn settings(args: &str) -> Settings {
    flags(args).resolve().expect("settings")
}

fn refused(args: &str) -> String {
    flags(args).resolve().expect_err("refused").to_string()
}

fn refused_file(text: &str) -> String {
    let (line, message) = parse_file(text).expect_err(text);
    format!("{line}: {message}")
}

#[test]
fn nothing_given_is_the_default() {
    let given = settings("");
    assert_eq!(format!("{given:?}"), format!("{:?}", Settings::default()));
    assert_eq!(given.log.level(), "info");
}

#[test]
fn everything_given_arrives() {
    let given = settings(
        "--listen 127.0.0.1:1 --listen [::1]:2,127.0.0.2:3 --server tls://a:4 --domain A.b,c.d \
         --ca-file ca.pem --danger-accept-invalid-certs --native rooms --native chat \
         --max-sessions 5 --connect-timeout 6 --shutdown-timeout 7 --log-format json -qq \
         --compress require --compress-level 8 --compress-sessions 9 \
         --show --show-bodies --show-own --show-only presence,romeo@a.b --show-only @c.d \
         --record-keep articles,urls --record-keep vcards --rooms e.f,g.h --rooms i.j \
         --proxy-from 127.0.0.1 --proxy-from ::ffff:192.0.2.1 --allow-remote-plaintext",
    );
    let proxies = [[127, 0, 0, 1], [192, 0, 2, 1]].map(IpAddr::from);
    assert_eq!(given.proxy_from, proxies);
    assert_eq!(given.session.rooms, ["e.f", "g.h", "i.j"]);
    assert_eq!(
        given.record_keep,
        [Kept::Articles, Kept::Urls, Kept::Vcards]
    );
    assert_eq!((given.show.form, given.show.bodies), (Form::Short, true));
    assert!(given.show.own);
    assert_eq!(given.session.compress, Compress::Require);
    assert_eq!((given.compress_level, given.compress_sessions), (8, 9));
    let only = ["presence", "romeo@a.b", "@c.d"].map(|text| text.parse().expect(text));
    assert_eq!(given.show.only, only);
    let listen: Vec<String> = given.listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["127.0.0.1:1", "[::1]:2", "127.0.0.2:3"]);
    let server = given.server.map(|server| (server.security, server.port));
    assert_eq!(server, Some((Security::DirectTls, 4)));
    assert_eq!(given.session.domains, ["a.b", "c.d"]);
    assert_eq!(given.session.native, [Function::Rooms, Function::Chat]);
    assert_eq!(given.ca_file, Some("ca.pem".into()));
    assert!(given.danger_accept_invalid_certs);
    assert_eq!(given.max_sessions, 5);
    assert_eq!(given.connect_timeout, Duration::from_secs(6));
    assert_eq!(given.shutdown_timeout, Duration::from_secs(7));
    assert_eq!(
        (given.log.format, given.log.level()),
        (LogFormat::Json, "error")
    );
}

#[test]
fn every_option_changes_a_setting() {
    let options = "listen=127.0.0.1:1 proxy-from=::1 client-tls=off state=/s server=a nameserver=::1 \
        proxy=socks5://a tls-min=1.3 domain=a ca-file=a danger-accept-invalid-certs compress=auto compress-level=1 \
        compress-sessions=1 policy=pure native=chat chat=native rooms=a rooms-open max-sessions=1 max-stanza-size=1 \
        max-stanza-size-before-login=1 max-server-stanza=1 max-held=1 max-depth=1 max-attributes=1 max-namespaces=1 \
        login-timeout=1 stanza-timeout=1 request-timeout=1 close-timeout=1 stall-timeout=1 connect-timeout=1 \
        shutdown-timeout=1 record=a record-bodies record-keep=urls record-max-size=1 show show-bodies show-own \
        show-only=ping log-format=json verbosity=1 verbose quiet";
    // Those that are checked together, or change how the others are read.
    let others = "config allow-remote-plaintext cert key login-cert login-key";
    let arguments = <RunOptions as clap::Args>::augment_args(clap::Command::new("run"));
    for name in arguments
        .get_arguments()
        .filter_map(|argument| argument.get_long())
    {
        let is_named = |word: &str| word.split('=').next() == Some(name);
        let mut all = options.split_whitespace().chain(others.split(' '));
        assert!(all.any(is_named), "{name} is not tried");
    }
    let usual = format!("{:?}", Settings::default());
    for option in options.split_whitespace() {
        let mut changed = Settings::default();
        flags(&format!("--{option}")).apply(&mut changed);
        assert_ne!(format!("{changed:?}"), usual, "{option}");
    }
}

#[test]
fn limits_and_timeouts_arrive() {
    let given = settings(
        "--policy pure --max-stanza-size 1000 --max-stanza-size-before-login 900 \
         --max-depth 800 --max-attributes 7 --max-namespaces 65 --login-timeout 1 \
         --stanza-timeout 2 --request-timeout 3m --close-timeout 4 --stall-timeout 5h \
         --max-server-stanza 64KiB --max-held 2MiB",
    );
    assert_eq!(given.max_held, 2 * 1024 * 1024);
    let session = given.session;
    assert_eq!(session.max_server_stanza, 64 * 1024);
    let limits = |bytes, depth, attributes, namespaces| Limits {
        elements: 65_536,
        bytes,
        depth,
        attributes,
        namespaces,
    };
    assert_eq!(session.policy, Policy::Pure);
    assert_eq!(session.limits, limits(1000, 800, 7, 65));
    assert_eq!(session.limits_before_login, limits(900, 64, 7, 64));
    let times = session.timeouts;
    let times = [
        times.login,
        times.stanza,
        times.request,
        times.close,
        times.stall,
    ];
    assert_eq!(times.map(|time| time.as_secs()), [1, 2, 180, 4, 18000]);
}

#[test]
fn verbosity_counts_and_stops_at_both_ends() {
    let level = |args| settings(args).log.level();
    assert_eq!(level("-v"), "debug");
    assert_eq!(level("-vvvvv"), "trace");
    assert_eq!(level("--verbosity -2 -v"), "warn");
    assert_eq!(level("--verbosity -1 -qqq"), "off");
    assert_eq!(level("-vq"), "info");
}

#[test]
fn remote_addresses_need_permission_and_a_limit() {
    for address in [
        "0.0.0.0:5222",
        "[::]:5222",
        "192.0.2.1:1",
        "[::ffff:192.0.2.1]:1",
    ] {
        let listen = format!("--listen 127.0.0.1:1 --listen {address}");
        let allowed = format!("{listen} --allow-remote-plaintext");
        let error = refused(&listen);
        assert!(
            error.contains(address) && error.contains("unencrypted"),
            "{error}"
        );
        assert!(refused(&format!("{allowed}=false")).contains("unencrypted"));
        let error = refused(&allowed);
        assert!(
            error.contains(address) && error.contains("open relay"),
            "{error}"
        );
        settings(&format!("{allowed} --server example.org"));
        settings(&format!("{allowed}=true --domain example.org"));
    }
    settings("--listen [::ffff:127.0.0.1]:1 --listen 127.9.9.9:1");
}

#[test]
fn options_that_contradict_each_other() {
    for (args, part) in [
        ("--listen 0.0.0.0:1 --client-tls require", "open relay"),
        (
            "--listen 0.0.0.0:1 --client-tls offer --domain a.b",
            "--client-tls require",
        ),
        ("--proxy-from 127.0.0.1", "--proxy-from: "),
        (
            "--proxy-from 127.0.0.1 --allow-remote-plaintext",
            "open relay",
        ),
        ("--login-cert me.pem --domain a.b", "unix:"),
        (
            "--login-cert me.pem --listen unix:/s,127.0.0.1:1 --domain a.b",
            "127.0.0.1:1",
        ),
        (
            "--login-cert me.pem --listen unix:/s",
            "without one --domain",
        ),
        (
            "--login-cert me.pem --listen unix:/s --domain a.b,c.d",
            "without one --domain",
        ),
        ("--key a.key", "--key without --cert:"),
        ("--login-key a.key", "--login-key without --login-cert:"),
        ("--cert a.crt --client-tls off", "--client-tls off"),
        (
            "--proxy socks5://a --server plain://127.0.0.1:1",
            "plain://",
        ),
        ("--proxy socks5://a --nameserver 192.0.2.53", "--nameserver"),
        ("--native chat --policy pure", "--policy auto"),
        ("--native chat --policy off", "--policy auto"),
        ("--chat native --policy pure", "--policy auto"),
        ("--rooms chat.a.b --policy off", "--policy off"),
        ("--compress require --policy off", "--policy off"),
        ("--max-server-stanza 65535", "64KiB"),
        ("--max-held 15MiB", "--max-server-stanza"),
        ("--max-server-stanza 257MiB", "--max-held"),
    ] {
        let error = refused(args);
        assert!(error.contains(part), "{args}: {error}");
    }
    for args in [
        "--listen 0.0.0.0:1 --client-tls require --domain a.b",
        "--proxy socks5://127.0.0.1:9050 --server tls://a.b",
        "--native chat --policy auto",
        "--compress auto --policy off",
        "--max-server-stanza 1GiB --max-held 1GiB",
    ] {
        settings(args);
    }
}

#[test]
fn certificates_and_keys_may_share_a_file() {
    let login = "--login-cert me.pem --listen unix:/s --domain a.b";
    let files = settings(login).login_certificate.expect("files");
    assert_eq!(files.key, files.certificate);
    let files = settings("--cert a.crt --key a.key").certificate;
    assert_eq!(files.expect("files").key, PathBuf::from("a.key"));
}

#[test]
fn a_flag_beats_the_file() {
    let mut file = tempfile::NamedTempFile::new().expect("file");
    file.write_all(
        br#"
        policy = "auto"
        native = ["chat"]
        rooms = ["chat.example.org"]
        server = "tls://example.org"
        ca-file = "ca.pem"
        allow-remote-plaintext = true
        login-timeout = 9
        stall-timeout = "9m"
        verbosity = 1
        "#,
    )
    .expect("written");
    let config = format!("--config {} ", file.path().display());
    let given = settings(&config);
    assert_eq!(given.session.timeouts.login.as_secs(), 9);
    assert_eq!(given.session.timeouts.stall.as_secs(), 540);
    assert_eq!(given.session.native, [Function::Chat]);
    assert_eq!(given.session.rooms, ["chat.example.org"]);
    let server = given.server.map(|server| server.security);
    assert_eq!(server, Some(Security::DirectTls));
    assert_eq!(given.ca_file, Some(file.path().with_file_name("ca.pem")));
    assert_eq!(given.log.level(), "debug");

    let given = settings(&(config.clone() + "--policy off --login-timeout 8 --server= -q"));
    assert_eq!(given.session.timeouts.login.as_secs(), 8);
    assert_eq!(given.session.native, []);
    assert_eq!(given.session.rooms, [""; 0]);
    let pure = settings(&(config.clone() + "--policy pure"));
    assert_eq!(pure.session.rooms, ["chat.example.org"]);
    assert_eq!(given.server, None);
    assert_eq!(given.log.level(), "info");

    let remote = config + "--listen 0.0.0.0:1 --allow-remote-plaintext";
    settings(&remote);
    assert!(refused(&(remote + "=false")).contains("unencrypted"));
}

#[test]
fn one_value_alone_needs_no_list() {
    for (key, value) in [
        ("listen", "unix:/run/x"),
        ("proxy-from", "127.0.0.1"),
        ("domain", "a.b"),
        ("native", "rooms"),
        ("rooms", "c.d"),
        ("record-keep", "urls"),
        ("show-only", "presence"),
    ] {
        let [alone, list] = [format!("{key} = '{value}'"), format!("{key} = ['{value}']")]
            .map(|text| format!("{:?}", parse_file(&text).expect(&text)));
        assert_eq!(alone, list);
        assert_ne!(alone, format!("{:?}", RunOptions::default()));
    }
}

#[test]
fn a_file_that_is_wrong_is_told_where() {
    for (text, line, key, allowed) in [
        (
            "\nlisten = [\n  '127.0.0.1:1',\n  'x',\n]",
            4,
            "`listen`",
            "127.0.0.1:5222",
        ),
        ("listen = 5222", 1, "`listen`", "a list of them"),
        ("# é\nlisn = []", 2, "unknown key `lisn`", "`listen`"),
        ("config = 'x'", 1, "unknown key `config`", "`listen`"),
        ("[run]\npolicy = 'off'", 1, "unknown key `run`", "`listen`"),
        ("policy = 'of'", 1, "`policy`", "`auto`, `pure`, `off`"),
        (
            "native = ['x']",
            1,
            "`native`",
            "`presence`, `rooms`, `chat`",
        ),
        ("server = 'http://a'", 1, "`server`", "tls://HOST"),
        ("server = 'plain://a:1'", 1, "`server`", "this machine"),
        ("domain = ['']", 1, "`domain`", "example.org"),
        ("login-timeout = 0", 1, "`login-timeout`", "from 1s to 24h"),
        (
            "login-timeout = true",
            1,
            "`login-timeout`",
            "from 1s to 24h",
        ),
        ("max-held = '1MB'", 1, "`max-held`", "64KiB or 16MiB"),
        ("max-held = 0", 1, "`max-held`", "from 1 byte"),
        ("max-depth = -1", 1, "`max-depth`", "from 1 to"),
        ("max-depth = 1.5", 1, "`max-depth`", "from 1 to"),
        (
            "allow-remote-plaintext = 'yes'",
            1,
            "`allow-remote-plaintext`",
            "boolean",
        ),
        ("tls-min = '1.1'", 1, "`tls-min`", "`1.2` or `1.3`"),
        ("log-format = 'xml'", 1, "`log-format`", "`text` or `json`"),
        (
            "show = 'long'",
            1,
            "`show`",
            "`off`, `short`, `full`, `json`",
        ),
        (
            "show-only = ['a b']",
            1,
            "`show-only`",
            "an address such as romeo@example.org",
        ),
        ("verbosity = 3", 1, "`verbosity`", "from -3 to 2"),
        ("max-depth = 1\nmax-depth = 2", 2, "max-depth", "duplicate"),
        ("policy = off", 1, "policy", "quoted"),
    ] {
        let error = refused_file(text);
        assert!(error.starts_with(&format!("{line}: ")), "{text}: {error}");
        assert!(
            error.contains(key) && error.contains(allowed),
            "{text}: {error}"
        );
    }
}

#[test]
fn an_empty_list_to_listen_on() {
    let options = parse_file("listen = []").expect("fine so far");
    let error = options.resolve().expect_err("refused").to_string();
    assert!(error.starts_with("`listen` is empty"), "{error}");
}
