//! The body of a configuration: the parameters alone, or wrapped together with an author and a reason.
//!
//! A body is wrapped if, and only if, its field `parameters` is an object. No parameter has an object as its value, so
//! a bare body never looks like that, whatever names a strategy gives its parameters.

use std::borrow::Cow;

use serde_json::Value;
use ta_bot_engine::settings::config_store::Author;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{AnyOfBuilder, Object, ObjectBuilder, Schema, SchemaType},
    },
};

use crate::{
    error::ApiError,
    request::{
        fields::Fields,
        write::{Given, Sender, author},
    },
};

/// What a body asks for.
#[derive(Debug)]
pub(super) struct ConfigBody {
    pub(super) parameters: Given,
    pub(super) author: Author,
    pub(super) validate_only: bool,
}

impl ConfigBody {
    pub(super) fn read(given: Given, sender: &Sender) -> Result<Self, ApiError> {
        if !given.get("parameters").is_some_and(Value::is_object) {
            let author = author(&mut Fields::new(Given::new(), &[])?, sender);
            return Ok(Self { parameters: given, author, validate_only: false });
        }
        let mut fields = Fields::new(given, &["parameters", "changed_by", "reason", "validate_only"])?;
        let parameters = fields.take("parameters").and_then(object);
        let author = author(&mut fields, sender);
        let validate_only = fields.flag("validate_only");
        let parameters = fields.finish(parameters)?;
        Ok(Self { parameters, author, validate_only })
    }
}

fn object(value: Value) -> Option<Given> {
    match value {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

impl PartialSchema for ConfigBody {
    /// A wrapped body matches both shapes, so the schema uses `anyOf` and not `oneOf`.
    fn schema() -> RefOr<Schema> {
        let value = RefOr::T(Schema::Object(Object::with_type(SchemaType::AnyValue)));
        let bare = ObjectBuilder::new()
            .description(Some("The parameters alone: values by name. In a PATCH, null unsets a parameter."))
            .additional_properties(Some(value));
        AnyOfBuilder::new().item(Wrapped::schema()).item(bare).into()
    }
}

impl ToSchema for ConfigBody {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ConfigBody")
    }
}

/// The parameters, with an author and a reason.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes the body, which is read field by field to report every problem")]
struct Wrapped {
    /// Values by name. In a PATCH, null unsets a parameter. `enabled` is the host's own parameter of every strategy:
    /// false pauses it.
    #[schema(value_type = Object)]
    parameters: Given,
    /// Who makes the change; defaults to the token's role or `api`.
    changed_by: Option<String>,
    /// The reason for the change.
    reason: Option<String>,
    /// Only check the parameters; store nothing.
    validate_only: Option<bool>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(given: &Value) -> Result<ConfigBody, ApiError> {
        ConfigBody::read(given.as_object().unwrap().clone(), &Sender::default())
    }

    #[test]
    fn takes_parameters_bare_and_wrapped() {
        let bare = read(&json!({"period": 14, "oversold": null})).unwrap();
        assert_eq!(Value::from(bare.parameters), json!({"period": 14, "oversold": null}));
        assert_eq!((bare.author.changed_by.as_str(), bare.author.reason, bare.validate_only), ("api", None, false));
        let wrapped = json!({"parameters": {"period": 14}, "changed_by": "ann", "reason": "x", "validate_only": true});
        let wrapped = read(&wrapped).unwrap();
        assert_eq!(Value::from(wrapped.parameters), json!({"period": 14}));
        assert_eq!((wrapped.author.changed_by.as_str(), wrapped.author.reason), ("ann", Some("x".to_owned())));
        assert!(wrapped.validate_only);
    }

    #[test]
    fn only_an_object_wraps() {
        for bare in [json!({"parameters": 5, "reason": "x"}), json!({"reason": "x"}), json!({})] {
            assert_eq!(Value::from(read(&bare).unwrap().parameters), bare);
        }
    }

    #[test]
    fn a_wrapped_body_takes_no_other_field() {
        assert!(matches!(read(&json!({"parameters": {}, "period": 14})), Err(ApiError::UnknownField { .. })));
        let wrong = json!({"parameters": {}, "validate_only": "yes", "changed_by": 5, "reason": "x".repeat(3000)});
        let Err(ApiError::Invalid(problems)) = read(&wrong) else { panic!("was taken") };
        assert_eq!(problems.count(), 3);
        assert!(serde_json::to_string(problems.named()).unwrap().len() < 1000);
    }
}
