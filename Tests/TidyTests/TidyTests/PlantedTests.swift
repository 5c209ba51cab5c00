import Testing

/// Each rule is broken here once on purpose: a check that cannot fail is a defect.
@Suite("A planted fault is found") struct PlantedTests {
    private func file(_ text: String, path: String = "Sources/Services/Store/Planted.swift") -> SwiftFile {
        SwiftFile(path: path, text: text)
    }

    @Test("a file of 401 lines, a line of 121 columns")
    func lengths() {
        let long = Array(repeating: "x", count: 401).joined(separator: "\n") + "\n"
        #expect(Rules.lengths(file(long)) == ["Sources/Services/Store/Planted.swift: 401 lines, more than 400"])
        #expect(Rules.lengths(file(String(repeating: "x", count: 121))).count == 1)
        #expect(Rules.lengths(file(String(repeating: "ü", count: 120))).isEmpty)
    }

    @Test("a body of 61 lines, whatever braces stand in its strings and comments")
    func functions() {
        func source(_ count: Int) -> String {
            let body = Array(repeating: #"    print("} \(items.map { "{" }) {") // }"#, count: count)
            return "func long(\n    a: Int = 1\n) -> Int {\n\(body.joined(separator: "\n"))\n}\nfunc short() {}\n"
        }
        #expect(Rules.longFunctions(file(source(60))).isEmpty)
        #expect(
            Rules.longFunctions(file(source(61))) == [
                "Sources/Services/Store/Planted.swift:1: a function of 61 lines, more than 60"
            ])
    }

    @Test("a requirement of a protocol has no body, and a call of an initializer is none")
    func bodiless() {
        let filler = Array(repeating: "    let x = 1", count: 70).joined(separator: "\n")
        #expect(Rules.longFunctions(file("protocol P {\n    func a()\n}\nstruct S {\n\(filler)\n}\n")).isEmpty)
        #expect(Rules.longFunctions(file("let a = B.init(c)\nstruct S {\n\(filler)\n}\n")).isEmpty)
        #expect(Rules.longFunctions(file("struct S {\n    init() {\n\(filler)\n    }\n}\n")).count == 1)
    }

    @Test("a type that is a Manager; not one that is a Database")
    func names() {
        #expect(Rules.names(file("final class QueueManager {}")).count == 1)
        #expect(Rules.names(file("enum HTTPUtils {}")).count == 1)
        #expect(Rules.names(file("struct BaseRow {}")).count == 1)
        #expect(Rules.names(file("struct Database {}\n// class Helper\nlet a = \"struct Impl\"")).isEmpty)
    }

    @Test("a danger without a reason")
    func dangers() {
        // Put together, so that this file stays clean.
        let danger = "try" + "!"
        #expect(Rules.dangersWithoutReason(file("let a = \(danger) b()")).count == 1)
        #expect(Rules.dangersWithoutReason(file("// Never throws: b is constant.\nlet a = \(danger) b()")).isEmpty)
        #expect(Rules.dangersWithoutReason(file("// Far away.\n\n\n\n\nlet a = \(danger) b()")).count == 1)
        #expect(Rules.dangersWithoutReason(file("let a = \"\(danger)\"")).isEmpty)
    }

    @Test("a Double near the money; not in a comment, not among the clients")
    func floatingPoint() {
        #expect(Rules.floatingPoint(file("let a: Double = 1")).count == 1)
        #expect(Rules.floatingPoint(file("let a = texts.map(Double.init)")).count == 1)
        #expect(Rules.floatingPoint(file("// no Double here\nlet a = \"Float\"")).isEmpty)
        #expect(Rules.floatingPoint(file("let a: Double", path: "Sources/Clients/AMQP/Planted.swift")).isEmpty)
        for room in ["Clients/Postgres", "Simulators/XeroSimulator", "Simulators/FleetHarness"] {
            #expect(Rules.floatingPoint(file("let a: Float", path: "Sources/\(room)/Planted.swift")).count == 1)
        }
        #expect(Rules.floatingPoint(file("let a: Double", path: "Sources/Clients/Postgres/Backoff.swift")).isEmpty)
        let clean = [file("let a = 1", path: "Sources/Clients/Postgres/Backoff.swift")]
        #expect(Rules.needlessAllowances(clean).contains("Sources/Clients/Postgres/Backoff.swift"))
    }

    @Test("a pointer that leaves its client; not one that stays, is spoken of, or is another room's")
    func pointers() {
        func found(_ text: String, in room: String = "Clients/AMQP") -> Int {
            Rules.pointersThatLeave(file(text, path: "Sources/\(room)/Planted.swift")).count
        }
        #expect(found("package func state() -> OpaquePointer { raw }") == 1)
        #expect(found("    public let bytes: UnsafeRawBufferPointer") == 1)
        #expect(found("    package init(_ body: (UnsafePointer<CChar>) -> Void) {}") == 1)
        #expect(found("let raw: OpaquePointer\nfileprivate var bytes: UnsafeRawBufferPointer") == 0)
        #expect(found("package func close()  // frees the OpaquePointer") == 0)
        #expect(found("package let a: OpaquePointer", in: "Services/Store") == 0)
    }

    @Test("an executable of 41 lines; not 40, and not another room's")
    func executables() {
        func found(_ count: Int, in room: String = "Executables/poller") -> Int {
            let text = Array(repeating: "print()", count: count).joined(separator: "\n") + "\n"
            return Rules.thickExecutables(file(text, path: "Sources/\(room)/Planted.swift")).count
        }
        #expect(found(40) == 0 && found(41) == 1)
        #expect(found(41, in: "Workers/Writing") == 0)
    }

    @Test(
        "an import that goes up or across",
        arguments: [
            ("Sources/Books/Money/A.swift", "import HTTP", 1), ("Sources/Books/Money/A.swift", "import CLinux", 1),
            ("Sources/Services/Store/A.swift", "package import Writing", 1),
            ("Sources/Services/Store/A.swift", "@preconcurrency import HTTP\nimport Yams", 0),
            ("Sources/Services/Store/A.swift", "import CLinux", 1),
            ("Sources/Clients/HTTP/A.swift", "import CLinux", 0), ("Sources/Clients/HTTP/A.swift", "import Money", 1),
            ("Sources/Simulators/Sim/A.swift", "import Money", 1),
            ("Sources/Simulators/Sim/A.swift", "import HTTP", 0), ("Sources/Executables/run/A.swift", "import Sim", 0),
            ("Sources/Workers/Writing/A.swift", "import Sim", 1),
        ])
    func imports(path: String, text: String, count: Int) {
        let rules = ImportRules(groups: [
            "Money": "Books", "HTTP": "Clients", "CLinux": "System", "Writing": "Workers", "Store": "Services",
            "Sim": "Simulators",
        ])
        #expect(rules.broken(by: file(text, path: path)).count == count)
    }
}
