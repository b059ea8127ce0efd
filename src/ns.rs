//! The namespaces pubshim reads or writes, under the field's names.

/// The content namespace of a client's stream (RFC 6120 §4.8.3).
pub const CLIENT: &str = "jabber:client";
/// The namespace of stream headers, features and stream errors (RFC 6120 §4.8.1).
pub const STREAM: &str = "http://etherx.jabber.org/streams";
/// Stream error conditions (RFC 6120 §4.9).
pub const STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// Stanza error conditions (RFC 6120 §8.3).
pub const STANZA_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// STARTTLS (RFC 6120 §5).
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
/// SASL (RFC 6120 §6).
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// The second version of SASL in XMPP (XEP-0388).
pub const SASL2: &str = "urn:xmpp:sasl:2";
/// Channel-binding types on offer (XEP-0440).
pub const SASL_CB: &str = "urn:xmpp:sasl-cb:0";
/// Resource binding (RFC 6120 §7).
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
/// The session of RFC 3921, a no-op since RFC 6121.
pub const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
/// The in-band registration feature (XEP-0077).
pub const REGISTER_FEATURE: &str = "http://jabber.org/features/iq-register";
/// In-band registration (XEP-0077).
pub const REGISTER: &str = "jabber:iq:register";
/// The login that preceded SASL (XEP-0078).
pub const IQ_AUTH: &str = "jabber:iq:auth";
/// The roster versioning feature (RFC 6121 §2.6).
pub const ROSTERVER: &str = "urn:xmpp:features:rosterver";
/// The pre-approval feature (RFC 6121 §3.4).
pub const PRE_APPROVAL: &str = "urn:xmpp:features:pre-approval";
/// Entity capabilities (XEP-0115).
pub const CAPS: &str = "http://jabber.org/protocol/caps";
/// The stream compression feature (XEP-0138).
pub const COMPRESS_FEATURE: &str = "http://jabber.org/features/compress";
/// Stream compression (XEP-0138).
pub const COMPRESS: &str = "http://jabber.org/protocol/compress";
/// Stream management (XEP-0198).
pub const SM: &str = "urn:xmpp:sm:3";
/// Stream management, the version before.
pub const SM2: &str = "urn:xmpp:sm:2";
/// Client state indication (XEP-0352).
pub const CSI: &str = "urn:xmpp:csi:0";
/// The roster (RFC 6121 §2).
pub const ROSTER: &str = "jabber:iq:roster";
/// Data forms (XEP-0004).
pub const DATA: &str = "jabber:x:data";
/// Publish-subscribe (XEP-0060).
pub const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
/// Publish-subscribe, requests of a node's owner.
pub const PUBSUB_OWNER: &str = "http://jabber.org/protocol/pubsub#owner";
/// Publish-subscribe, event notifications.
pub const PUBSUB_EVENT: &str = "http://jabber.org/protocol/pubsub#event";
/// Publish-subscribe, error conditions.
pub const PUBSUB_ERRORS: &str = "http://jabber.org/protocol/pubsub#errors";
/// `FORM_TYPE` of a node's configuration (XEP-0060 §16.4.4).
pub const NODE_CONFIG: &str = "http://jabber.org/protocol/pubsub#node_config";
/// `FORM_TYPE` of publish-options (XEP-0060 §7.1.5).
pub const PUBLISH_OPTIONS: &str = "http://jabber.org/protocol/pubsub#publish-options";
/// `FORM_TYPE` of a request to approve a subscription (XEP-0060 §8.6, listing 10).
pub const SUBSCRIBE_AUTHORIZATION: &str =
    "http://jabber.org/protocol/pubsub#subscribe_authorization";
/// `FORM_TYPE` of subscription options (XEP-0060 §16.4.2, listing 13).
pub const SUBSCRIBE_OPTIONS: &str = "http://jabber.org/protocol/pubsub#subscribe_options";
/// Extended addresses in a stanza (XEP-0033, listing 17).
pub const ADDRESS: &str = "http://jabber.org/protocol/address";
/// From an occupant to a room (XEP-0045).
pub const MUC: &str = "http://jabber.org/protocol/muc";
/// From a room to an occupant, and invitations (XEP-0045).
pub const MUC_USER: &str = "http://jabber.org/protocol/muc#user";
/// From an owner to a room (XEP-0045).
pub const MUC_OWNER: &str = "http://jabber.org/protocol/muc#owner";
/// From a moderator or admin to a room (XEP-0045).
pub const MUC_ADMIN: &str = "http://jabber.org/protocol/muc#admin";
/// The vCard of an account (XEP-0054).
pub const VCARD: &str = "vcard-temp";
/// Direct invitations to rooms (XEP-0249).
pub const CONFERENCE: &str = "jabber:x:conference";
/// Ids of occupants, given by the room (XEP-0421).
pub const OCCUPANT_ID: &str = "urn:xmpp:occupant-id:0";
/// Receipts (XEP-0184).
pub const RECEIPTS: &str = "urn:xmpp:receipts";
/// Chat markers: which message was shown (XEP-0333).
pub const CHAT_MARKERS: &str = "urn:xmpp:chat-markers:0";
/// Texts encrypted with OpenPGP (XEP-0027).
pub const ENCRYPTED: &str = "jabber:x:encrypted";
/// Chat states (XEP-0085).
pub const CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";
/// Message processing hints: store, copy (XEP-0334).
pub const HINTS: &str = "urn:xmpp:hints";
/// Carbons: copies of messages from and to other resources of the account (XEP-0280).
pub const CARBONS: &str = "urn:xmpp:carbons:2";
/// A stanza inside another one (XEP-0297).
pub const FORWARD: &str = "urn:xmpp:forward:0";
/// The message archive (XEP-0313).
pub const MAM: &str = "urn:xmpp:mam:2";
/// Privacy lists (XEP-0016).
pub const PRIVACY: &str = "jabber:iq:privacy";
/// Invisibility (XEP-0186).
pub const INVISIBLE: &str = "urn:xmpp:invisible:1";
/// Invisibility, the version before.
pub const INVISIBLE_0: &str = "urn:xmpp:invisible:0";
/// Blocking (XEP-0191).
pub const BLOCKING: &str = "urn:xmpp:blocking";
/// Service discovery, identities and features of an entity (XEP-0030).
pub const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
/// Software version (XEP-0092).
pub const VERSION: &str = "jabber:iq:version";
/// Service discovery, items of an entity (XEP-0030).
pub const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// Result sets that come in parts (XEP-0059).
pub const RSM: &str = "http://jabber.org/protocol/rsm";
/// Pings (XEP-0199).
pub const PING: &str = "urn:xmpp:ping";
/// Delayed delivery (XEP-0203).
pub const DELAY: &str = "urn:xmpp:delay";
/// Delayed delivery, the version before (XEP-0091).
pub const DELAY_0: &str = "jabber:x:delay";
/// Unique and stable stanza ids (XEP-0359).
pub const SID: &str = "urn:xmpp:sid:0";
/// The marker that a shim puts into native presence, by which shims recognise each other.
pub const SHIM: &str = "urn:pubshim:0";
/// Bound to the prefix `xml` by definition.
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// Bound to the prefix `xmlns` by definition.
pub const XMLNS: &str = "http://www.w3.org/2000/xmlns/";
