use super::*;

fn server(text: &str) -> Result<(Security, String, u16), String> {
    let server = text.parse::<ServerAddress>()?;
    Ok((server.security, server.host, server.port))
}

#[test]
fn servers_in_every_form() {
    use Security::{DirectTls, Plain, StartTls};
    for (text, security, host, port) in [
        ("example.org", StartTls, "example.org", 5222),
        ("example.org:5269", StartTls, "example.org", 5269),
        ("192.0.2.7", StartTls, "192.0.2.7", 5222),
        ("[2001:db8::1]", StartTls, "2001:db8::1", 5222),
        ("[2001:db8::1]:99", StartTls, "2001:db8::1", 99),
        ("münchen.example", StartTls, "münchen.example", 5222),
        ("tls://example.org", DirectTls, "example.org", 5223),
        ("tls://example.org:443", DirectTls, "example.org", 443),
        ("tls://[::1]", DirectTls, "::1", 5223),
        ("plain://LocalHost:5224", Plain, "LocalHost", 5224),
        ("plain://127.0.0.2:5224", Plain, "127.0.0.2", 5224),
        ("plain://[::1]:5224", Plain, "::1", 5224),
    ] {
        assert_eq!(server(text), Ok((security, host.into(), port)), "{text}");
    }
}

#[test]
fn servers_that_are_none() {
    let words = ":5222 a: a:0 a:65536 a:b a:1:2 ::1 ::1:5222 [::1 [::1]5222 [a]:1 user@a a/b \
                 tls:// tls:a http://a xmpp://a";
    for text in words.split(' ').chain(["a b", " a"]) {
        let error = server(text).expect_err(text);
        assert!(error.contains("HOST:PORT"), "{text}: {error}");
    }
    assert_eq!("".parse(), Ok(Server(None)));
    assert_eq!(server(""), Err(Server::refused()));
}

#[test]
fn plain_only_to_this_machine() {
    for text in [
        "plain://example.org:5222",
        "plain://192.0.2.7:1",
        "plain://localhost.a:1",
    ] {
        let error = server(text).expect_err(text);
        assert!(error.contains("unencrypted"), "{text}: {error}");
    }
    let error = server("plain://localhost").expect_err("no port");
    assert!(error.contains("needs a port"), "{error}");
}

#[test]
fn times() {
    for (text, seconds) in [("1", 1), ("90s", 90), ("2m", 120), ("24h", 86400)] {
        assert_eq!(
            text.parse(),
            Ok(Seconds(Duration::from_secs(seconds))),
            "{text}"
        );
    }
    for text in "0 0m s -1 1.5 5d 25h 18446744073709551615m"
        .split(' ')
        .chain(["", "1 s"])
    {
        assert_eq!(text.parse::<Seconds>(), Err(Seconds::refused()), "{text}");
    }
}

#[test]
fn sizes() {
    for (text, bytes) in [
        ("1", 1),
        ("262144", 262_144),
        ("64KiB", 65_536),
        ("16MiB", 16_777_216),
        ("1024GiB", 1_099_511_627_776),
    ] {
        assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
    }
    let words = "0 0MiB MiB -1 1.5MiB 16MB 16M 16mib 1025GiB 18446744073709551615KiB";
    for text in words.split(' ').chain(["", "16 MiB"]) {
        assert_eq!(text.parse::<Size>(), Err(Size::refused()), "{text}");
    }
}

#[test]
fn counts_domains_and_steps() {
    assert_eq!("1".parse(), Ok(Count(1)));
    for text in ["0", "-1", "", "100000001", "64k"] {
        assert!(text.parse::<Count>().is_err(), "{text}");
    }
    assert_eq!("Example.ORG.".parse(), Ok(Domain("example.org".into())));
    for text in ["", ".", "a b", "user@a", "a/b", "a:5222", "a,b"] {
        assert!(text.parse::<Domain>().is_err(), "{text}");
    }
    assert_eq!("9".parse(), Ok(CompressionLevel(9)));
    for text in ["0", "10", "x"] {
        assert!(text.parse::<CompressionLevel>().is_err(), "{text}");
    }
    assert_eq!("-3".parse(), Ok(Verbosity(-3)));
    assert!("3".parse::<Verbosity>().is_err());
    assert!("localhost:5222".parse::<ListenAddress>().is_err());
}
