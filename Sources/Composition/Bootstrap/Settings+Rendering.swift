import Alerting
import Money
import Domain
import Mapping
import Operator
import Settings

extension Settings {
    /// The effective configuration as YAML, defaults and environment included, secrets masked.
    package func rendered() -> String {
        var lines: [String] = ["organisations:"]
        for organisation in organisations { lines += organisation.rendered() }
        lines.append("companies:")
        for company in companies { lines += company.rendered() }
        lines += [
            "polling:", "  interval: \(DurationText.render(polling.interval))",
            "  overlap: \(DurationText.render(polling.overlap))",
            "  rescan_interval: \(DurationText.render(polling.rescanInterval))",
            "  rescan_window: \(DurationText.render(polling.rescanWindow))",
            "  corrections_interval: \(DurationText.render(polling.correctionsInterval))",
            "  concurrency: \(polling.concurrency)",
            "  lease: \(DurationText.render(polling.leaseDuration))", "mapping:", "  batch: \(mapping.batch)",
            "  linger: \(DurationText.render(mapping.linger))", "  prefetch: \(mapping.prefetch)",
            "  record_bytes_max: \(mapping.recordBytesMax)", "  basis: \(mapping.basis.rawValue)",
            "  close_delay: \(DurationText.render(mapping.closeDelay))",
            "writing:", "  batch: \(writing.batch)",
            "  linger: \(DurationText.render(writing.linger))", "  batches_in_flight: \(writing.batchesInFlight)",
            "  lease: \(DurationText.render(writing.leaseDuration))",
            "  hand_max: \(DurationText.render(writing.handMax))",
            "  app_calls_per_minute: \(writing.appCallsPerMinute)", "desk:",
            "  replays_per_second: \(desk.replaysPerSecond)",
            "  probe_interval: \(DurationText.render(desk.probeInterval))",
        ]
        lines += alerts.rendered()
        lines += [
            "# from the environment",
            "# TILLBRIDGE_RABBITMQ_URL: \(connections.rabbitMQ)", "# TILLBRIDGE_DATABASE_URL: \(connections.database)",
            "# TILLBRIDGE_DATABASE_SCHEMA: \(connections.schema)",
            "# TILLBRIDGE_QUEUE_PREFIX: \(connections.queuePrefix)",
            "# TILLBRIDGE_KOUNTA_URL: \(connections.kounta)", "# TILLBRIDGE_XERO_URL: \(connections.xero)",
            "# TILLBRIDGE_XERO_IDENTITY_URL: \(connections.xeroIdentity)",
            "# TILLBRIDGE_HEALTH_ADDRESS: \(connections.health)",
            "# TILLBRIDGE_GRACE_PERIOD: \(DurationText.render(connections.grace))",
            "# TILLBRIDGE_TRUSTED_CERTIFICATES: \(connections.trustedCertificates ?? "the system's")",
        ]
        lines += apps.rendered()
        return lines.joined(separator: "\n")
    }
}

/// Quoted always: a name may look like a number or hold a colon.
private func quoted(_ text: String) -> String {
    "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
}

extension OrganisationSettings {
    fileprivate func rendered() -> [String] {
        var lines = ["  - key: \(key)", "    name: \(quoted(name))"]
        if let tenant { lines.append("    tenant: \(quoted(tenant))") }
        lines += [
            "    currency: \(currency)", "    timezone: \(timeZoneName)", "    accounts:",
            "      sales: \(quoted(accounts.sales))", "      tips: \(quoted(accounts.tips))",
            "      rounding: \(quoted(accounts.rounding))", "      outside_tax_type: \(accounts.outsideTaxType)",
        ]
        lines += accounts.renderedOptional(indent: "      ")
        lines.append("    taxes:")
        lines += taxTypes.sorted { $0.key < $1.key }.map { "      \(quoted($0.key.description)): \($0.value)" }
        lines.append("    payment_methods:")
        lines += clearingAccounts.sorted { $0.key < $1.key }.map { "      \(quoted($0.key)): \(quoted($0.value))" }
        if let fallbackClearingAccount {
            lines.append("    fallback_clearing_account: \(quoted(fallbackClearingAccount))")
        }
        lines += ["    rounding_max: \(roundingMax)", "    payment_term_days: \(paymentTermDays)"]
        if let trackingCategory { lines.append("    tracking_category: \(quoted(trackingCategory))") }
        lines += renderedMapping(indent: "    ")
        lines += [
            "    limits:", "      calls_per_minute: \(limits.callsPerMinute)",
            "      calls_in_flight: \(limits.callsInFlight)", "      calls_per_day: \(limits.callsPerDay)",
            "      reserve_people: \(limits.reserve.people)", "      reserve_reads: \(limits.reserve.reads)",
            "      reserve_posting: \(limits.reserve.posting)",
            "    # credential: \(credential.map { "\($0.id) / \($0.secret)" } ?? "not set")",
        ]
        return lines
    }
}

extension CompanySettings {
    fileprivate func rendered() -> [String] {
        var lines = [
            "  - key: \(key)", "    kounta_company: \(quoted(kountaID))", "    organisation: \(organisation)",
            "    start_from: \(String(startFrom.description.prefix(10)))", "    calls_per_minute: \(callsPerMinute)",
            "    # credential: \(credential.map { "\($0.id) / \($0.secret)" } ?? "not set")", "    venues:",
        ]
        for venue in venues {
            lines += [
                "      - site: \(quoted(venue.site.text))", "        name: \(quoted(venue.name))",
                "        prefix: \(venue.prefix)", "        contact_number: \(quoted(venue.contactNumber))",
                "        contact_name: \(quoted(venue.contactName))",
            ]
            if let hours = venue.tradingHours { lines.append("        trading_hours: \(quoted(hours.description))") }
            if let tracking = venue.tracking { lines.append("        tracking: \(quoted(tracking))") }
            lines.append("        timezone: \(venue.timeZoneName)")
            lines += venue.posting.rendered().map { "        " + $0 }
        }
        return lines
    }
}
