package import ArgumentParser

/// The command line of `kounta-sim`.
package struct KountaOptions: ParsableArguments {
    @Option(help: "Address to listen on.")
    package var host = "127.0.0.1"
    @Option(help: "Port to listen on; 0 takes a free one.")
    package var port = 0
    @Option(help: "Write the port to this file once calls are taken.")
    package var portFile: String?
    @Option(help: "Seed of everything generated.")
    package var seed: UInt64 = 1
    @Option(help: "Orders per venue.")
    package var orders = 0
    @Option(help: "Seconds over which orders appear; 0: all at once.")
    package var duration = 0
    @Option(help: "Days over which orders that are there at once were made.")
    package var days = 7
    @Option(help: "Of 100 live orders so many are opened first and complete later.")
    package var latePercent = 20
    @Option(help: "Longest time in seconds between opening and completing.")
    package var lateSeconds = 20
    @Flag(help: "Only simple orders.")
    package var plain = false
    @Option(help: "Refunds of whole orders.")
    package var refunds = 0
    @Option(help: "Records that are wrong.")
    package var badOrders = 0
    @Option(help: "Signs of a refund's amounts: negative or positive.")
    package var refundSigns = "negative"
    @Option(help: "An order's total includes the tips: true or false.")
    package var tipsInTotal = false
    @Option(help: "A payment's amount includes its tip: true or false.")
    package var tipsInAmounts = false
    @Option(help: "Line totals are after the line's and the order's variation: true or false.")
    package var lineTotalsIncludeVariations = true
    @Option(help: "A customer's PUT empties the fields it does not name: true or false.")
    package var putsReplace = false
    @Flag(help: "Takings are there when the control says that a till was counted, not at each day's end.")
    package var holdTakings = false
    @Option(help: "Serve the orders of this file.")
    package var csv: String?
    @Option(help: "Call limits: real, off or x<N> times the real ones.")
    package var limits = "real"
    @Option(help: "A client that may sign in, id:secret or id:secret@company; may be repeated. Without: any.")
    package var client: [String] = []
    @Option(help: "Seconds an access token is good for.")
    package var tokenSeconds: Int64 = 3_600
    @Option(help: "Key that signs webhooks; without: the client's secret.")
    package var hookSecret: String?
    @Flag(help: "Log each call's outcome to stderr.")
    package var verbose = false

    package init() {}

    package func validate() throws {
        _ = try settings()
    }

    /// - Throws: a `ValidationError` that names the option.
    package func settings() throws -> KountaSettings {
        guard orders >= 0, duration >= 0, days > 0, refunds >= 0, badOrders >= 0, tokenSeconds > 0, lateSeconds >= 0
        else {
            throw ValidationError("counts and times cannot be negative, days and token seconds not 0")
        }
        guard ["negative", "positive"].contains(refundSigns) else {
            throw ValidationError("--refund-signs is negative or positive")
        }
        var settings = KountaSettings()
        settings.seed = seed
        settings.ordersPerSite = orders
        settings.durationSeconds = duration
        settings.days = days
        settings.latePercent = latePercent
        settings.lateSecondsMax = lateSeconds
        settings.refunds = refunds
        settings.badOrders = badOrders
        settings.refundsAreNegative = refundSigns == "negative"
        settings.shape.isPlain = plain
        settings.shape.tipsInTotal = tipsInTotal
        settings.shape.tipsInAmounts = tipsInAmounts
        settings.shape.lineTotalsIncludeVariations = lineTotalsIncludeVariations
        settings.putsReplace = putsReplace
        settings.holdsTakings = holdTakings
        settings.csvPath = csv
        settings.limits = try callLimits()
        settings.clients = try client.map(Self.client)
        settings.tokenSeconds = tokenSeconds
        settings.hookSecret = hookSecret
        return settings
    }

    private func callLimits() throws -> KountaSettings.Limits {
        if limits == "off" { return .off }
        if limits == "real" { return .times(1) }
        guard limits.hasPrefix("x"), let factor = Int(limits.dropFirst()), factor > 0 else {
            throw ValidationError("--limits is real, off or x<N>")
        }
        return .times(factor)
    }

    private static func client(_ text: String) throws -> KountaSettings.Client {
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { throw ValidationError("--client is id:secret or id:secret@company") }
        guard let at = parts[1].lastIndex(of: "@") else { return .init(id: parts[0], secret: parts[1]) }
        guard let company = Int64(parts[1][parts[1].index(after: at)...]) else {
            throw ValidationError("--client: the company after @ is no number")
        }
        return .init(id: parts[0], secret: String(parts[1][..<at]), company: company)
    }
}
