// swift-tools-version: 6.2
import PackageDescription

/// One array of settings for every Swift target: Swift 6 language mode, no warning left standing.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
    // Small generic pieces (JSON, amounts) are used across the rooms' borders; without this none of them is specialised.
    .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release)),
]

/// A target of the room `group`: `Sources/<group>/<name>`.
func room(
    _ group: String, _ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/\(group)/\(name)", resources: resources,
        swiftSettings: settings)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, path: "Sources/Executables/\(name)", swiftSettings: settings)
}

func tests(_ group: String, _ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, path: "Tests/\(group)/\(name)", swiftSettings: settings)
}

func library(_ name: String, _ pkgConfig: String?, _ apt: String) -> Target {
    .systemLibrary(name: name, path: "Sources/System/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
    name: "tillbridge",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Executables: parse, compose, run.
        program("poller", ["Bootstrap", arguments]),
        program("mapper", ["Bootstrap", arguments]),
        program("writer", ["Bootstrap", arguments]),
        program("dead-letter-handler", ["Bootstrap", arguments]),
        program("tillbridge", ["Bootstrap", arguments]),
        program("kounta-sim", ["KountaSimulator", arguments]),
        program("xero-sim", ["XeroSimulator", arguments]),
        program("fleet", ["FleetHarness", arguments]),
        program("bench", ["FleetHarness", arguments]),
        program("chaos", ["FleetHarness", arguments]),

        // Composition: the one place that sees everything. What an operator is shown is made below it, and pure.
        room("Composition", "Operator", ["Domain", "JSON", "Mapping", "Money", "Settings", "Xero", crypto]),
        room("Composition", "Bootstrap", [
            "AMQP", "AlertWork", "Alerting", "Consent", "Credentials", "DeadLetters", "Domain", "HTTP", "JSON", "Kounta",
            "Mapping", "MappingWork", "Messaging", "Money", "Notices", "Operator", "Polling", "Postgres", "Setbacks",
            "Settings", "Store", "Telemetry", "Threads", "Writing", "Xero", arguments, crypto, lifecycle, logging, signals,
        ]),

        // Workers: one stage each, against protocols.
        room("Workers", "Polling", [
            "Domain", "Kounta", "Mapping", "Messaging", "Setbacks", "Settings", "Store", "Telemetry", crypto, lifecycle,
        ]),
        room("Workers", "Setbacks", ["Domain", "Messaging", "Store", "Telemetry", lifecycle, logging]),
        room("Workers", "MappingWork", [
            "Domain", "Kounta", "Mapping", "Messaging", "Money", "Setbacks", "Settings", "Store", "Telemetry", "Xero", crypto,
            lifecycle,
        ]),
        room("Workers", "Writing", [
            "Domain", "HTTP", "JSON", "Messaging", "Money", "Setbacks", "Settings", "Store", "Telemetry", "Threads", "Xero",
            lifecycle,
        ]),
        room("Workers", "AlertWork", [
            "Alerting", "Domain", "Messaging", "Notices", "Settings", "Store", "Telemetry", lifecycle, logging,
        ]),
        room("Workers", "DeadLetters", [
            "AMQP", "Domain", "JSON", "Mapping", "Messaging", "Money", "Settings", "Store", "Telemetry", crypto, lifecycle,
        ]),

        // Services: the outside world in the business's words.
        room("Services", "Settings", ["Alerting", "Domain", "Mapping", "Money", yams]),
        room("Services", "Telemetry", ["Threads", hummingbird, logging, lifecycle, nioCore]),
        room("Services", "Messaging", ["AMQP", "Domain"]),
        room("Services", "Credentials", ["Domain", "HTTP", "JSON", "Settings", crypto]),
        room("Services", "Consent", ["Credentials", "Settings", hummingbird, logging, nioCore, crypto]),
        room("Services", "Kounta", ["Credentials", "Domain", "HTTP", "JSON", "Mapping", "Money", "Settings"]),
        room("Services", "Xero", ["Credentials", "Domain", "HTTP", "JSON", "Money", "Settings"]),
        room("Services", "Notices", ["Alerting", "Domain", "HTTP", "JSON", "Mail", "Settings", "Store", crypto]),
        room("Services", "Store", [
            "Alerting", "Credentials", "Domain", "HTTP", "JSON", "Mapping", "Money", "Postgres", "Settings", "Xero", crypto,
        ], resources: [
            .embedInCode("Migrations/0001_fleet.sql"), .embedInCode("Migrations/0002_budget.sql"),
            .embedInCode("Migrations/0003_fewer_writes.sql"),
            .embedInCode("Migrations/0006_mapping.sql"),
            .embedInCode("Migrations/0007_audit.sql"),
            .embedInCode("Migrations/0009_kinds.sql"),
            .embedInCode("Migrations/0012_corrections.sql"),
            .embedInCode("Migrations/0004_credential.sql"),
            .embedInCode("Migrations/0005_desk.sql"),
            .embedInCode("Migrations/0008_governor.sql"),
            .embedInCode("Migrations/0010_alerts.sql"),
            .embedInCode("Migrations/0011_days.sql"),
            .embedInCode("Migrations/0014_own_calls.sql"),
            .embedInCode("Migrations/0015_closed_organisations.sql"),
            .embedInCode("Migrations/0016_day_sources.sql"),
            .embedInCode("Migrations/0017_till_writes.sql"),
            .embedInCode("Migrations/0018_breaker_pause.sql"),
            .embedInCode("Migrations/0019_takings_scope.sql"),
            .embedInCode("Migrations/0020_audit_reasons.sql"),
            .embedInCode("Migrations/0021_alert_digests.sql"),
            .embedInCode("Migrations/0022_mapping_edits.sql"),
            .embedInCode("Migrations/0023_room_for_updates.sql"),
            .embedInCode("Migrations/0024_till_customers.sql"),
            .embedInCode("Migrations/0025_unread_orders.sql"),
            .embedInCode("Migrations/0026_reads_before_waiters.sql"),
            .embedInCode("Migrations/0027_day_mappings.sql"),
            .embedInCode("Migrations/0028_corrections_at_the_desk.sql"),
        ]),

        // Books: pure.
        room("Books", "JSON"),
        room("Books", "Money"),
        room("Books", "Domain", ["Money"]),
        room("Books", "Mapping", ["Domain", "JSON", "Money"]),
        room("Books", "Alerting", ["Domain", "JSON"]),

        // Clients: one C library each.
        room("Clients", "Threads", ["CLinux"]),
        room("Clients", "HTTP", ["Threads", "CCurl"]),
        room("Clients", "Mail", ["CCurl", "HTTP", "Threads"]),
        room("Clients", "AMQP", ["Threads", "CRabbitMQ", "CLinux"]),
        room("Clients", "Postgres", ["CLinux", "CPostgreSQL", "Threads"]),

        // System: module maps of C libraries.
        library("CLinux", nil, "libc6-dev"),
        library("CRabbitMQ", "librabbitmq", "librabbitmq-dev"),
        library("CPostgreSQL", "libpq", "libpq-dev"),
        library("CCurl", "libcurl", "libcurl4-openssl-dev"),

        // Simulators: the services at either end, for demo, tests and benchmarks. They share no money or mapping code
        // with the fleet, so that a wrong sum cannot agree with itself.
        room("Simulators", "XeroSimulator", ["JSON", arguments, crypto, httpTypes, hummingbird, logging, nioCore]),
        room("Simulators", "KountaSimulator", [
            "JSON", arguments, httpTypes, hummingbird, logging, nioCore, nioPosix, lifecycle, signals,
        ]),
        room("Simulators", "FleetHarness", [
            "AMQP", "HTTP", "JSON", "KountaSimulator", "Postgres", "Telemetry", "Threads", arguments, yams,
        ]),

        tests("Clients", "ThreadsTests", ["Threads"]),
        tests("Clients", "HTTPTests", ["HTTP", "Peers", "Threads"]),
        tests("Clients", "AMQPTests", ["AMQP", "Peers", "Threads"]),
        tests("Clients", "PostgresTests", ["Peers", "Postgres", "Threads"]),
        tests("Simulators", "KountaSimulatorTests", [
            "KountaSimulator", "JSON", hummingbird, logging, nioCore, nioPosix,
        ]),
        tests("Simulators", "XeroSimulatorTests", [
            "XeroSimulator", "JSON", hummingbird, nioCore, nioPosix, nioHTTP1,
        ]),
        tests("Services", "StoreTests", [
            "Domain", "HTTP", "Mapping", "Money", "Postgres", "Settings", "Store", "Xero", crypto,
        ]),
        tests("Services", "SettingsTests", ["Alerting", "Domain", "Mapping", "Money", "Settings"]),
        tests("Services", "MessagingTests", ["AMQP", "Domain", "Messaging"]),
        tests("Services", "KountaTests", ["Domain", "HTTP", "JSON", "Kounta", "Mapping", "Money"]),
        tests("Services", "XeroTests", ["Domain", "HTTP", "JSON", "Money", "Xero"]),
        tests("Services", "CredentialsTests", [
            "Credentials", "Domain", "HTTP", "JSON", "Kounta", "KountaSimulator", "Postgres", "Settings", "Store", "Xero",
            "XeroSimulator", hummingbird,
        ]),
        tests("Services", "ConsentTests", [
            "Consent", "Credentials", "HTTP", "Settings", "XeroSimulator", hummingbird,
        ]),
        tests("Services", "TelemetryTests", ["Telemetry", logging]),
        tests("Workers", "PollingTests", [
            "Domain", "HTTP", "JSON", "Kounta", "KountaSimulator", "Mapping", "Messaging", "Polling", "Postgres",
            "Settings", "Store", "Telemetry", crypto, logging,
        ]),
        tests("Workers", "MappingWorkTests", [
            "Domain", "Mapping", "MappingWork", "Messaging", "Money", "Setbacks", "Settings", "Store", "Telemetry", crypto,
            lifecycle, logging,
        ]),
        tests("Composition", "OperatorTests", [
            "Domain", "HTTP", "JSON", "Mapping", "Money", "Operator", "Settings", "Xero", "XeroSimulator", hummingbird,
        ]),
        tests("Composition", "BootstrapTests", [
            "Bootstrap", "Domain", "JSON", "Money", "Peers", "Postgres", "Settings", "Store", "Telemetry", "Threads",
            crypto, logging,
        ]),
        tests("Workers", "DeadLettersTests", [
            "AMQP", "DeadLetters", "Domain", "JSON", "Mapping", "Messaging", "Postgres", "Settings", "Store", "Telemetry",
            "Threads", logging, lifecycle,
        ]),
        tests("Workers", "WritingTests", [
            "AMQP", "Domain", "HTTP", "JSON", "Messaging", "Money", "Postgres", "Setbacks", "Settings", "Store", "Telemetry",
            "Threads", "Writing", "Xero", "XeroSimulator", hummingbird, lifecycle, logging,
        ]),
        tests("TidyTests", "TidyTests", []),
        tests("EndToEnd", "EndToEndTests", [
            "AMQP", "Credentials", "FleetHarness", "HTTP", "JSON", "Peers", "Postgres", "Settings", "Threads", crypto,
            hummingbird, nioCore,
        ]),
        tests("EndToEnd", "ChaosTests", ["FleetHarness", "Telemetry", "Threads"]),
        tests("Books", "JSONTests", ["JSON"]),
        tests("Books", "MoneyTests", ["Money"]),
        tests("Books", "DomainTests", ["Domain"]),
        tests("Books", "AlertingTests", ["Alerting", "Domain"]),
        tests("Workers", "AlertWorkTests", [
            "AlertWork", "Alerting", "Domain", "HTTP", "JSON", "Mail", "Messaging", "Notices", "Peers", "Postgres",
            "Settings", "Store", "Telemetry", "Threads", crypto, logging,
        ]),
        tests("Books", "MappingTests", ["Domain", "Mapping", "Money", "OrderRecipes"]),
        tests("Services", "XeroContractTests", [
            "Credentials", "Domain", "HTTP", "JSON", "Mapping", "Money", "OrderRecipes", "Xero", hummingbird, logging,
            yams,
        ]),
        .target(
            name: "OrderRecipes", dependencies: ["Domain", "Mapping", "Money"],
            path: "Tests/TestSupport/OrderRecipes", swiftSettings: settings),
        .target(name: "Peers", dependencies: ["Threads"], path: "Tests/TestSupport/Peers", swiftSettings: settings),
    ]
)
