import Testing

/// The house rules, held against every file of the project. A broken one is reported as `path:line`.
@Suite("The house rules") struct HouseRulesTests {
    private func report(_ found: [String], sourceLocation: SourceLocation = #_sourceLocation) {
        for sentence in found { Issue.record("\(sentence)", sourceLocation: sourceLocation) }
    }

    @Test("the tree is found: rules held against no file would hold")
    func tree() {
        #expect(SourceTree.swiftFiles.count > 200)
        #expect(SourceTree.swiftFiles.contains { $0.path == "Sources/Books/Money/Money.swift" })
        #expect(SourceTree.swiftFiles.contains { $0.path.hasSuffix("TidyTests/HouseRulesTests.swift") })
    }

    @Test("no file is longer than 400 lines, no line than 120 columns")
    func lengths() { report(SourceTree.swiftFiles.flatMap(Rules.lengths)) }

    @Test("no function is longer than 60 lines")
    func functions() { report(SourceTree.swiftFiles.flatMap(Rules.longFunctions)) }

    @Test("no type is named after nothing in particular")
    func names() { report(SourceTree.swiftFiles.flatMap(Rules.names)) }

    @Test("what switches the compiler's care off has its reason beside it")
    func reasons() { report(SourceTree.swiftFiles.flatMap(Rules.dangersWithoutReason)) }

    @Test("no binary fraction comes near the money")
    func floatingPoint() {
        report(SourceTree.sources.flatMap(Rules.floatingPoint))
        report(Rules.needlessAllowances(SourceTree.sources).map { "\($0) needs no binary fractions any more" })
    }

    @Test("no pointer leaves the client that contains its library")
    func pointers() {
        #expect(SourceTree.sources.filter { $0.path.hasPrefix("Sources/Clients/") }.count > 40)
        report(SourceTree.sources.flatMap(Rules.pointersThatLeave))
    }

    @Test("executables contain nothing")
    func executables() {
        #expect(SourceTree.sources.filter { $0.path.hasPrefix("Sources/Executables/") }.count >= 8)
        report(SourceTree.sources.flatMap(Rules.thickExecutables))
    }

    @Test("imports go down only, and C libraries are imported by clients alone")
    func imports() throws {
        var groups: [String: String] = [:]
        for group in SourceTree.folders(in: "Sources") {
            for module in SourceTree.folders(in: "Sources/\(group)") { groups[module] = group }
        }
        try #require(groups["Money"] == "Books" && groups["CLinux"] == "System")
        report(SourceTree.sources.flatMap(ImportRules(groups: groups).broken))
    }

    @Test("nothing names a path of the machine it was written on")
    func machinePaths() {
        // Put together here, so that this file does not hold them.
        let needles = ["work", "root", "home"].map { "/\($0)/" } + ["/" + "farm"]
        let places = ["Sources", "Tests", "scripts", "docker", "k8s", "README.md"]
        for path in places.flatMap(SourceTree.paths) {
            let lines = SourceTree.text(path)?.split(separator: "\n", omittingEmptySubsequences: false) ?? []
            for (index, line) in lines.enumerated() {
                for needle in needles where line.contains(needle) {
                    report(["\(path):\(index + 1): names the machine's path \(needle)"])
                }
            }
        }
    }
}
