import Alerting
import Money
import Domain
import Mapping
import Operator
import Settings

extension Settings {
    /// The effective configuration as YAML, defaults and environment included, secrets masked. Read again beside the
    /// same environment, it is the same configuration.
    package func rendered() -> String {
        var lines: [String] = ["organisations:"]
        for organisation in organisations { lines += organisation.rendered(statedLimits) }
        lines.append("companies:")
        for company in companies { lines += company.rendered(organisation(company.organisation), statedLimits) }
        lines += [
            "polling:", "  interval: \(DurationText.render(polling.interval))",
            "  overlap: \(DurationText.render(polling.overlap))",
            "  rescan_interval: \(DurationText.render(polling.rescanInterval))",
            "  rescan_window: \(DurationText.render(polling.rescanWindow))",
            "  corrections_interval: \(DurationText.render(polling.correctionsInterval))",
            "  customers_max_age: \(DurationText.render(polling.customersMaxAge))",
            "  customers_wait_max: \(DurationText.render(polling.customersWaitMax))",
            "  concurrency: \(polling.concurrency)",
            "  lease: \(DurationText.render(polling.leaseDuration))", "mapping:", "  batch: \(mapping.batch)",
            "  linger: \(DurationText.render(mapping.linger))", "  prefetch: \(mapping.prefetch)",
            "  record_bytes_max: \(mapping.recordBytesMax)", "  basis: \(mapping.basis.rawValue)",
            "  close_delay: \(DurationText.render(mapping.closeDelay))",
            "writing:", "  batch: \(writing.batch)",
            "  linger: \(DurationText.render(writing.linger))", "  batches_in_flight: \(writing.batchesInFlight)",
            "  lease: \(DurationText.render(writing.leaseDuration))",
            "  hand_max: \(DurationText.render(writing.handMax))",
            "  app_calls_per_minute: "
                + limit(statedLimits.appCallsPerMinute, inEffect: writing.appCallsPerMinute),
            "desk:",
            "  replays_per_second: \(desk.replaysPerSecond)",
            "  probe_interval: \(DurationText.render(desk.probeInterval))",
        ]
        lines += alerts.rendered()
        lines += ["simulation:", "  limits_multiple: \(statedLimits.multiple)"]
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

/// A limit as it was stated; where it is multiplied against simulators, what it comes to stands beside it.
private func limit(_ stated: Int, inEffect: Int) -> String {
    stated == inEffect ? "\(stated)" : "\(stated)  # \(inEffect) in effect"
}

extension OrganisationSettings {
    fileprivate func rendered(_ stated: StatedLimits) -> [String] {
        var lines = ["  - key: \(key)", "    name: \(name.quotedYAML)"]
        if let tenant { lines.append("    tenant: \(tenant.quotedYAML)") }
        lines += ["    currency: \(currency)", "    timezone: \(timeZoneName)", "    accounts:"]
        lines += accounts.rendered(indent: "      ")
        lines.append("    taxes:")
        lines += taxTypes.sorted { $0.key < $1.key }
            .map { "      \($0.key.description.quotedYAML): \($0.value.quotedYAML)" }
        lines += clearingAccounts.rendered("payment_methods", indent: "    ")
        if let fallbackClearingAccount {
            lines.append("    fallback_clearing_account: \(fallbackClearingAccount.quotedYAML)")
        }
        lines += ["    rounding_max: \(roundingMax)", "    payment_term_days: \(paymentTermDays)"]
        if let trackingCategory { lines.append("    tracking_category: \(trackingCategory.quotedYAML)") }
        lines += renderedMapping(indent: "    ")
        let stated = stated.organisations[key] ?? limits
        let all = [
            ("calls_per_minute", stated.callsPerMinute, limits.callsPerMinute),
            ("calls_in_flight", stated.callsInFlight, limits.callsInFlight),
            ("calls_per_day", stated.callsPerDay, limits.callsPerDay),
            ("reserve_people", stated.reserve.people, limits.reserve.people),
            ("reserve_reads", stated.reserve.reads, limits.reserve.reads),
            ("reserve_posting", stated.reserve.posting, limits.reserve.posting),
        ]
        lines.append("    limits:")
        lines += all.map { "      \($0.0): \(limit($0.1, inEffect: $0.2))" }
        lines.append("    # credential: \(credential.map { "\($0.id) / \($0.secret)" } ?? "not set")")
        return lines
    }
}

extension CompanySettings {
    /// - Parameter books: the organisation it goes into, from which its venues take what they do not say themselves.
    fileprivate func rendered(_ books: OrganisationSettings?, _ stated: StatedLimits) -> [String] {
        // The day began where the organisation is.
        let day = (books?.timeZone ?? .utc).date(at: startFrom)
        let calls = limit(stated.companies[key] ?? callsPerMinute, inEffect: callsPerMinute)
        var lines = [
            "  - key: \(key)", "    kounta_company: \(kountaID.quotedYAML)", "    organisation: \(organisation)",
            "    start_from: \(day)", "    calls_per_minute: \(calls)",
            "    # credential: \(credential.map { "\($0.id) / \($0.secret)" } ?? "not set")",
        ]
        if let currency { lines.append("    currency: \(currency)") }
        lines += registers.rendered("registers", indent: "    ")
        lines += staff.rendered("staff", indent: "    ")
        let products = [
            ("gift_card_products", giftCardProducts), ("deposit_products", depositProducts),
            ("surcharge_products", surchargeProducts),
        ]
        for (key, ids) in products where !ids.isEmpty {
            lines.append("    \(key): [\(ids.sorted().map(\.quotedYAML).joined(separator: ", "))]")
        }
        lines.append("    venues:")
        for venue in venues { lines += venue.rendered(books) }
        return lines
    }
}

extension VenueSettings {
    /// What it takes from its organisation stands there; here is what it says otherwise.
    fileprivate func rendered(_ books: OrganisationSettings?) -> [String] {
        var lines = [
            "      - site: \(site.text.quotedYAML)", "        name: \(name.quotedYAML)",
            "        prefix: \(prefix.quotedYAML)",
            "        contact_number: \(contactNumber.quotedYAML)", "        contact_name: \(contactName.quotedYAML)",
        ]
        if let hours = tradingHours { lines.append("        trading_hours: \(hours.description.quotedYAML)") }
        if let tracking { lines.append("        tracking: \(tracking.quotedYAML)") }
        if timeZoneName != books?.timeZoneName { lines.append("        timezone: \(timeZoneName)") }
        let own = accounts.rendered(indent: "          ", besides: books?.accounts)
        if !own.isEmpty { lines += ["        accounts:"] + own }
        if let books, taxTypes != books.taxTypes {
            lines.append("        taxes:")
            lines += taxTypes.filter { books.taxTypes[$0.key] != $0.value }.sorted { $0.key < $1.key }
                .map { "          \($0.key.description.quotedYAML): \($0.value.quotedYAML)" }
        }
        if let books, trackingSources != books.trackingSources {
            lines.append("        tracking_from:")
            lines += trackingSources.filter { books.trackingSources[$0.key] != $0.value }
                .sorted { $0.key.rawValue < $1.key.rawValue }
                .map { "          \($0.key.rawValue): \($0.value.quotedYAML)" }
        }
        lines += clearingAccounts.filter { books?.clearingAccounts[$0.key] != $0.value }
            .rendered("payment_methods", indent: "        ")
        if let account = fallbackClearingAccount, account != books?.fallbackClearingAccount {
            lines.append("        fallback_clearing_account: \(account.quotedYAML)")
        }
        if paymentTermDays != books?.paymentTermDays { lines.append("        payment_term_days: \(paymentTermDays)") }
        if let theme = brandingTheme, theme != books?.brandingTheme {
            lines.append("        branding_theme: \(theme.quotedYAML)")
        }
        return lines + posting.rendered().map { "        " + $0 }
    }
}

extension [String: String] {
    /// As a mapping under `key`; nothing where it is empty.
    fileprivate func rendered(_ key: String, indent: String) -> [String] {
        if isEmpty { return [] }
        return ["\(indent)\(key):"]
            + sorted { $0.key < $1.key }.map { "\(indent)  \($0.key.quotedYAML): \($0.value.quotedYAML)" }
    }
}
