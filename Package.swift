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

func library(_ name: String, _ pkgConfig: String?, _ apt: String) -> Target {
    .systemLibrary(name: name, path: "Sources/System/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

let package = Package(
    name: "tillbridge",
    dependencies: [
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
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

        // Books: pure.
        room("Books", "JSON"),

        tests("Clients", "ThreadsTests", ["Threads"]),
        tests("Clients", "HTTPTests", ["HTTP", "Threads"]),
        tests("Books", "JSONTests", ["JSON"]),
    ]
)
