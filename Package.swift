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
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.100.0"),
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0"),
    ],
    targets: [
        // System: module maps of C libraries.
        library("CLinux", nil, "libc6-dev"),
        library("CRabbitMQ", "librabbitmq", "librabbitmq-dev"),
        library("CPostgreSQL", "libpq", "libpq-dev"),
        library("CCurl", "libcurl", "libcurl4-openssl-dev"),

        // Clients: one C library each.
        room("Clients", "Threads", ["CLinux"]),

        // Books: pure.
        room("Books", "JSON"),

        // Simulators: the vendors' services, for the demo, the tests and the benchmarks.
        room("Simulators", "XeroSimulator", [
            "JSON", .product(name: "Hummingbird", package: "hummingbird"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ]),
        program("xero-sim", ["XeroSimulator", .product(name: "ArgumentParser", package: "swift-argument-parser")]),

        tests("Clients", "ThreadsTests", ["Threads"]),
        tests("Books", "JSONTests", ["JSON"]),
        tests("Simulators", "XeroSimulatorTests", [
            "XeroSimulator", "JSON", .product(name: "Hummingbird", package: "hummingbird"),
            .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
        ]),
    ]
)
