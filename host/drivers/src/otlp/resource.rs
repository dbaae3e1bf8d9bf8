//! What sends the telemetry.

use opentelemetry::KeyValue;
use opentelemetry_sdk::{
    Resource,
    resource::{EnvResourceDetector, TelemetryResourceDetector},
};

use super::settings::OtlpSettings;

/// What is known of this process.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its version.
    pub version: &'static str,
    /// Its name among replicas.
    pub instance: String,
    /// The pod that it runs in, and the namespace of that.
    pub pod: (Option<String>, Option<String>),
}

/// The attributes of everything that is sent. Those of `OTEL_RESOURCE_ATTRIBUTES` win.
pub(super) fn resource(settings: &OtlpSettings, process: &Process) -> Resource {
    let Process { version, instance, pod: (pod, namespace) } = process;
    let named = [("k8s.pod.name", pod), ("k8s.namespace.name", namespace)];
    let ours = named.into_iter().filter_map(|(name, value)| Some(KeyValue::new(name, value.clone()?)));
    let ours = ours.chain([
        KeyValue::new("service.name", settings.service.clone()),
        KeyValue::new("service.version", *version),
        KeyValue::new("service.instance.id", instance.clone()),
    ]);
    let resource = Resource::builder_empty().with_attributes(ours).with_detector(Box::new(TelemetryResourceDetector));
    let resource = resource.with_detector(Box::new(EnvResourceDetector::new()));
    // The name has a variable of its own, which comes before the attributes.
    match &settings.is_service_named {
        true => resource.with_service_name(settings.service.clone()).build(),
        false => resource.build(),
    }
}
