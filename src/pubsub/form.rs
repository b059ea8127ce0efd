//! Data forms (XEP-0004), as far as node configurations need them.

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};

use crate::ns;
use crate::xml::{Element, escape};

/// The first value of the field `var` of `form`.
pub(crate) fn value<'a>(form: &'a Element<'a>, var: &str) -> Option<Cow<'a, str>> {
    let field = field(form, var)?;
    let value = field.child(ns::DATA, "value")?;
    Some(Cow::Owned(value.text().into_owned()))
}

/// All values of the field `var` of `form`.
pub(crate) fn values(form: &Element<'_>, var: &str) -> Vec<String> {
    let field = field(form, var);
    let values = field.iter().flat_map(Element::children);
    let values = values.filter(|it| it.is(ns::DATA, "value"));
    values.map(|it| it.text().into_owned()).collect()
}

fn field<'a>(form: &'a Element<'a>, var: &str) -> Option<Element<'a>> {
    let mut fields = form.children().filter(|it| it.is(ns::DATA, "field"));
    fields.find(|field| field.attribute("var").as_deref() == Some(var))
}

/// Writes a form of type `submit` with these fields, one value each.
pub(crate) fn write_submit(out: &mut BytesMut, form_type: &str, fields: &[(&str, &str)]) {
    out.put_slice(
        b"<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>",
    );
    out.put_slice(form_type.as_bytes());
    out.put_slice(b"</value></field>");
    for (var, value) in fields {
        out.put_slice(b"<field var='");
        out.put_slice(escape(var).as_bytes());
        out.put_slice(b"'><value>");
        out.put_slice(escape(value).as_bytes());
        out.put_slice(b"</value></field>");
    }
    out.put_slice(b"</x>");
}
