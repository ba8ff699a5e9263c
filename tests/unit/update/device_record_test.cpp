#include "update/device_record.hpp"

#include <gtest/gtest.h>

#include "support/memory_store.hpp"
#include "update/journal.hpp"

namespace fota::update {
namespace {

using namespace std::chrono_literals;

struct DeviceRecordTest : testing::Test {
    fota::test::MemoryStore store;
    Journal journal{store, "device-1"};

    void registered(const std::string& lifetime) {
        ports::Fact fact;
        fact.kind = registered_fact;
        fact.subject = "device-1";
        fact.fields = {{"lifetime", lifetime}};
        ASSERT_TRUE(store.replace(fact, ports::Durability::relaxed));
    }
    void cable_result(const std::string& at, const std::string& outcome, const std::string& running) {
        ports::Fact fact;
        fact.kind = cable_result_fact;
        fact.subject = "device-1";
        fact.attempt = at;
        fact.fields = {{"at", at}, {"outcome", outcome}, {"to_version", "3.0.0"}, {"running_version", running}};
        ASSERT_TRUE(store.append(fact, ports::Durability::full));
    }
    std::string begin(const char* to, const char* from) {
        Target target;
        target.label = to;
        return journal.begin(target, from).value();
    }
    DeviceRecord record() { return device_record("device-1", store.facts("device-1").value()); }
    /// "version, to, outcome, step"
    std::string text() {
        const auto device = record();
        return device.version + ", " + device.to_version + ", " + device.outcome + ", " + device.step;
    }
};

TEST_F(DeviceRecordTest, OfADeviceThatOnlyRegisteredNoUpdateIsKnown) {
    registered("3600");
    EXPECT_EQ(record().endpoint, "device-1");
    EXPECT_EQ(record().lifetime, 3600s);
    EXPECT_TRUE(record().last_contact);
    EXPECT_EQ(text(), ", , , ");
}

TEST_F(DeviceRecordTest, AnUpdateIsFollowedFromStepToStep) {
    const auto id = begin("2.0.0", "1.0.0");
    EXPECT_EQ(text(), "1.0.0, 2.0.0, , begun");
    EXPECT_FALSE(record().last_contact) << "an intent is no word of the device";
    ASSERT_TRUE(journal.transfer(id, {Bytes(8, 1), 0, 512, 0}));
    EXPECT_EQ(text(), "1.0.0, 2.0.0, , transfer");
    ASSERT_TRUE(journal.downloaded(id));
    ASSERT_TRUE(journal.execute(id));
    EXPECT_EQ(text(), "1.0.0, 2.0.0, , execute");
    EXPECT_TRUE(record().last_contact);
    ASSERT_TRUE(journal.proven(id, "2.0.0"));
    EXPECT_EQ(text(), "2.0.0, 2.0.0, , proven");
    ASSERT_TRUE(journal.close(id, Outcome::updated));
    EXPECT_EQ(text(), "2.0.0, 2.0.0, updated, ");
}

TEST_F(DeviceRecordTest, AfterARollBackTheOldVersionRuns) {
    const auto id = begin("2.0.0", "1.0.0");
    ASSERT_TRUE(journal.proven(id, "2.0.0"));
    ASSERT_TRUE(journal.close(id, Outcome::rolled_back));
    EXPECT_EQ(text(), "1.0.0, 2.0.0, rolled-back, ");
}

TEST_F(DeviceRecordTest, TheNewestUpdateCounts) {
    ASSERT_TRUE(journal.close(begin("2.0.0", "1.0.0"), Outcome::failed));
    begin("2.1.0", "1.0.0");
    EXPECT_EQ(text(), "1.0.0, 2.1.0, , begun");
}

TEST_F(DeviceRecordTest, AResultOfTheCableCountsByItsOwnTime) {
    cable_result("2026-11-02T10:00:00Z", "updated", "3.0.0");
    cable_result("2026-11-01T10:00:00Z", "failed", "1.0.0");  // merged later, older
    EXPECT_EQ(text(), "3.0.0, 3.0.0, updated, ");
    EXPECT_EQ(record().last_contact, std::chrono::sys_days(std::chrono::November / 2 / 2026) + 10h);
}

/// A fact of the network with the time it was written.
ports::Fact written(const char* kind, const char* attempt, std::chrono::sys_seconds when,
                    std::map<std::string, std::string> fields) {
    ports::Fact fact;
    fact.kind = kind;
    fact.subject = "device-1";
    fact.attempt = attempt;
    fact.fields.insert(fields.begin(), fields.end());
    fact.wall_ms = std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch()).count();
    return fact;
}

TEST_F(DeviceRecordTest, AResultOfTheCableCountsThoughTheDeviceWasMetSince) {
    const auto day = std::chrono::sys_days(std::chrono::November / 2 / 2026);
    ASSERT_TRUE(store.append(written("registered", "", day + 20h, {{"lifetime", "60"}}), ports::Durability::relaxed));
    cable_result("2026-11-02T10:00:00Z", "updated", "3.0.0");
    EXPECT_EQ(text(), "3.0.0, 3.0.0, updated, ");
    EXPECT_EQ(record().last_contact, day + 20h) << "the contact stays the last one";
}

TEST_F(DeviceRecordTest, AResultOfTheCableDoesNotUndoANewerUpdate) {
    const auto day = std::chrono::sys_days(std::chrono::November / 2 / 2026);
    const auto append = [&](const ports::Fact& fact) { ASSERT_TRUE(store.append(fact, ports::Durability::full)); };
    append(written("attempt-begun", "1", day + 8h, {{"from", "1.0.0"}, {"to", "2.0.0"}}));
    cable_result("2026-11-02T07:00:00Z", "failed", "0.9.0");
    EXPECT_EQ(text(), "1.0.0, 2.0.0, , begun") << "begun since";
    append(written("proven", "1", day + 9h, {{"version", "2.0.0"}}));
    cable_result("2026-11-02T08:30:00Z", "failed", "0.9.0");
    EXPECT_EQ(text(), "2.0.0, 2.0.0, , proven") << "proven since";
    append(written("closed", "1", day + 10h, {{"outcome", "updated"}}));
    cable_result("2026-11-02T09:30:00Z", "failed", "0.9.0");
    EXPECT_EQ(text(), "2.0.0, 2.0.0, updated, ") << "closed since";
    cable_result("2026-11-02T10:30:00Z", "failed", "2.0.1");
    EXPECT_EQ(text(), "2.0.1, 3.0.0, failed, ");
}

TEST_F(DeviceRecordTest, WhatIsDamagedStaysUnknown) {
    registered("soon");
    cable_result("yesterday", "updated", "3.0.0");
    EXPECT_FALSE(record().lifetime);
    EXPECT_EQ(text(), ", , , ");
}

}  // namespace
}  // namespace fota::update
