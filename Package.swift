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
]

/// A target of the room `group`: `Sources/<group>/<name>`.
func room(_ group: String, _ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/\(group)/\(name)", swiftSettings: settings)
}

func tests(_ group: String, _ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, path: "Tests/\(group)/\(name)", swiftSettings: settings)
}

/// A thin executable: `Sources/Executables/<name>`.
func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, path: "Sources/Executables/\(name)", swiftSettings: settings)
}

func library(_ name: String, _ pkgConfig: String?, _ apt: String) -> Target {
    .systemLibrary(name: name, path: "Sources/System/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

let package = Package(
    name: "tillbridge",
    dependencies: [
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.100.0"),
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.80.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.4.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.8.0"),
    ],
    targets: [
        // System: module maps of C libraries.
        library("CLinux", nil, "libc6-dev"),
        library("CRabbitMQ", "librabbitmq", "librabbitmq-dev"),
        library("CPostgreSQL", "libpq", "libpq-dev"),
        library("CCurl", "libcurl", "libcurl4-openssl-dev"),

        // Clients: one C library each.
        room("Clients", "Threads", ["CLinux"]),
        room("Clients", "HTTP", ["Threads", "CCurl"]),
        room("Clients", "AMQP", ["Threads", "CRabbitMQ", "CLinux"]),
        room("Clients", "Postgres", ["CLinux", "CPostgreSQL", "Threads"]),

        // Books: pure.
        room("Books", "JSON"),
        room("Books", "Money"),
        room("Books", "Domain", ["Money"]),
        room("Books", "Mapping", ["Domain", "Money"]),

        // Services: the outside world in the business's words.
        room("Services", "Settings", ["Domain", "Mapping", "Money", .product(name: "Yams", package: "Yams")]),
        room("Services", "Kounta", ["Domain", "HTTP", "JSON", "Money", "Settings"]),
        room("Services", "Xero", ["Domain", "HTTP", "JSON", "Money", "Settings"]),

        // Simulators: the vendors' services, for the demo, the tests and the benchmarks.
        room("Simulators", "XeroSimulator", [
            "JSON", .product(name: "Hummingbird", package: "hummingbird"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ]),
        program("xero-sim", ["XeroSimulator", .product(name: "ArgumentParser", package: "swift-argument-parser")]),

        // Simulators: stand-ins for the services at either end; they share no money or mapping code with the bridge.
        room("Simulators", "KountaSimulator", [
            "JSON",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "Hummingbird", package: "hummingbird"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            .product(name: "UnixSignals", package: "swift-service-lifecycle"),
        ]),

        // Executables: parse, compose, run.
        .executableTarget(
            name: "kounta-sim",
            dependencies: [
                "KountaSimulator", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Sources/Executables/kounta-sim", swiftSettings: settings),

        tests("Clients", "ThreadsTests", ["Threads"]),
        tests("Clients", "HTTPTests", ["HTTP"]),
        tests("Clients", "AMQPTests", ["AMQP", "Threads"]),
        tests("Clients", "PostgresTests", ["Postgres"]),
        tests("Books", "JSONTests", ["JSON"]),
        tests("Simulators", "XeroSimulatorTests", [
            "XeroSimulator", "JSON", .product(name: "Hummingbird", package: "hummingbird"),
            .product(name: "HummingbirdTesting", package: "hummingbird"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "HTTPTypes", package: "swift-http-types"),
        ]),
    ]
)
