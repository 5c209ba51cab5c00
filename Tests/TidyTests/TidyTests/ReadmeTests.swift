import Testing

/// Operators find every name they meet in logs, dashboards and manifests in the README.
@Suite("The README") struct ReadmeTests {
    /// Records each name that the README lacks; fails if there are no names, for then the search is broken.
    private func expectNamed(_ names: Set<String>, _ what: String, atLeast least: Int) throws {
        let readme = try #require(SourceTree.text("README.md"), "there is no README.md")
        try #require(names.count >= least, "only \(names.count) found: is \(what) written in another way now?")
        for name in names.sorted() where !readme.contains(name) {
            Issue.record("README.md does not name the \(what) \(name)")
        }
    }

    @Test("names every queue")
    func queues() throws {
        let file = try #require(
            SourceTree.swiftFiles.first { $0.path == "Sources/Services/Messaging/QueueName.swift" })
        // "\(prefix).write.\(organisation)" → tillbridge.write.
        let names = file.literals.compactMap { literal -> String? in
            guard literal.text.hasPrefix("\\(.") else { return nil }
            return "tillbridge" + literal.text.dropFirst(2).prefix { $0 != "\\" }
        }
        try expectNamed(Set(names), "queue", atLeast: 5)
    }

    @Test("names every metric")
    func metrics() throws {
        let names = SourceTree.sources.flatMap(\.literals).map(\.text).filter {
            $0.wholeMatch(of: #/tillbridge_[a-z_]+/#) != nil
        }
        try expectNamed(Set(names), "metric", atLeast: 10)
    }

    @Test("names every table")
    func tables() throws {
        let migrations = SourceTree.paths(under: "Sources/Services/Store/Migrations").filter { $0.hasSuffix(".sql") }
        let names = migrations.compactMap(SourceTree.text).flatMap { sql in
            sql.matches(of: #/(?i)create\s+table\s+(?:if\s+not\s+exists\s+)?([a-z_.]+)/#).map { match in
                "`" + (match.output.1.split(separator: ".").last ?? "") + "`"
            }
        }
        try expectNamed(Set(names), "table", atLeast: 8)
    }

    @Test("names every variable of the environment")
    func environment() throws {
        let literals = SourceTree.sources.flatMap(\.literals).map(\.text)
        let whole = literals.flatMap { $0.matches(of: #/TILLBRIDGE_[A-Z_]+/#).map { String($0.output) } }
        // environment.value("NAME") and its like: read from the lines, since the prefix is added to the literal.
        let settings = SourceTree.sources.filter { $0.path.hasPrefix("Sources/Services/Settings/") }
        let asked = settings.flatMap(\.lines).flatMap { line in
            line.matches(of: #/environment\.\w+\("([A-Z_]+)"/#).map {
                "TILLBRIDGE_\($0.output.1)"
            }
        }
        try #require(asked.count >= 8, "only \(asked.count) are read: is the environment asked in another way now?")
        try expectNamed(Set(whole + asked), "variable", atLeast: 8)
    }
}
