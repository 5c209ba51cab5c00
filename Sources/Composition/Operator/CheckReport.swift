package import Domain
import JSON
package import Settings

/// What `tillbridge mapping check` found, ready to be shown.
package struct CheckReport: Sendable {
    package struct Organisation: Sendable {
        package var key: OrganisationKey
        package var problems: [SettingsProblem]
        /// Why its ledger could not be asked; its problems are then not known.
        package var failure: String?

        package init(key: OrganisationKey, problems: [SettingsProblem] = [], failure: String? = nil) {
            self.key = key
            self.problems = problems
            self.failure = failure
        }
    }

    package var organisations: [Organisation]

    package init(organisations: [Organisation]) { self.organisations = organisations }

    /// 0: all is well. 1: something must be mended. 2: a ledger could not be asked, and what was asked is well.
    package var exitCode: Int32 {
        if organisations.contains(where: { !$0.problems.isEmpty }) { return 1 }
        return organisations.contains { $0.failure != nil } ? 2 : 0
    }

    package func lines() -> [String] {
        var lines: [String] = []
        for organisation in organisations {
            lines += organisation.problems.map(\.description)
            if let failure = organisation.failure {
                lines.append("organisation \(organisation.key): not checked: \(failure)")
            } else if organisation.problems.isEmpty {
                lines.append("organisation \(organisation.key): everything it names is in the chart")
            } else {
                let count = organisation.problems.count
                lines.append("organisation \(organisation.key): \(count) problem\(count == 1 ? "" : "s")")
            }
        }
        return lines
    }

    package func json() -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("organisations")
            writer.array { writer in
                for organisation in organisations {
                    writer.object { writer in
                        writer.field("organisation", organisation.key.text)
                        if let failure = organisation.failure { writer.field("failure", failure) }
                        writer.key("problems")
                        writer.array { writer in
                            for problem in organisation.problems { Self.write(problem, to: &writer) }
                        }
                    }
                }
            }
        }
        return writer.bytes
    }

    private static func write(_ problem: SettingsProblem, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("file", problem.file)
            if let line = problem.line { writer.field("line", line) }
            writer.field("path", problem.path)
            writer.field("message", problem.message)
        }
    }
}
