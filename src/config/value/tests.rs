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
fn proxies_on_the_way_to_servers() {
    let proxy = |text: &str| {
        let Proxy(proxy) = text.parse()?;
        let ProxyAddress {
            host,
            port,
            credentials,
        } = proxy.ok_or("none")?;
        Ok::<_, String>((host, port, credentials))
    };
    let credentials = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
    for (text, host, port, expected) in [
        ("socks5://localhost", "localhost", 1080, None),
        ("socks5://127.0.0.1:9050", "127.0.0.1", 9050, None),
        ("socks5://[::1]:9050", "::1", 9050, None),
        ("socks5://u:p@a.b:1", "a.b", 1, credentials("u", "p")),
        ("socks5://u:p:@c@a.b", "a.b", 1080, credentials("u", "p:@c")),
    ] {
        assert_eq!(proxy(text), Ok((host.into(), port, expected)), "{text}");
    }
    let long = format!("socks5://u:{}@a", "p".repeat(256));
    let words = "a:1 http://a socks5:// socks5://a:0 socks5://u@a socks5://:secret@a socks5://u:@a socks5://u:p@ ";
    for text in words.split(' ').chain([&*long]).filter(|it| !it.is_empty()) {
        let error = proxy(text).expect_err(text);
        assert!(
            error.contains("socks5://") && !error.contains("secret"),
            "{text}: {error}"
        );
    }
    assert_eq!("".parse(), Ok(Proxy(None)));
    let debug = format!("{:?}", "socks5://u:secret@a".parse::<Proxy>());
    assert!(!debug.contains("secret"), "{debug}");
}

#[test]
fn addresses_of_dns_servers_and_proxies() {
    let server = |text: &str| {
        text.parse::<NameServer>()
            .map(|it| it.0.map(|it| it.to_string()))
    };
    assert_eq!(server("192.0.2.53"), Ok(Some("192.0.2.53:53".into())));
    assert_eq!(server("[::1]:5353"), Ok(Some("[::1]:5353".into())));
    assert_eq!(server("::1"), Ok(Some("[::1]:53".into())));
    assert_eq!(server(""), Ok(None));
    for text in ["dns.example", "192.0.2.53:x", "[::1]"] {
        assert!(server(text).is_err(), "{text}");
    }
    assert!("192.0.2.1:80".parse::<ProxySource>().is_err());
    let unix = "unix:/run/pubshim".parse();
    assert_eq!(unix, Ok(ListenAddress::Unix("/run/pubshim".into())));
    for text in ["unix:", "unix:pubshim"] {
        let error = text.parse::<ListenAddress>().expect_err(text);
        assert!(error.contains("whole path"), "{error}");
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
