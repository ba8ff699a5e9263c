#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>

#include "adapters/sqlite_store.hpp"
#include "adapters/state_lock.hpp"
#include "adapters/system_clock.hpp"
#include "unit/adapters/loop.hpp"

namespace fota::adapters::test {
namespace {

using ports::Durability;
using ports::Fact;
using testing::HasSubstr;

struct StateDirectory : testing::Test {
    std::filesystem::path root = [] {
        auto name = (std::filesystem::temp_directory_path() / "fotactl-test-XXXXXX").string();
        return std::filesystem::path(::mkdtemp(name.data()));
    }();
    std::filesystem::path directory = root / "a" / "state";
    ~StateDirectory() override { std::filesystem::remove_all(root); }

    static unsigned mode(const std::filesystem::path& path) {
        struct stat status {};
        return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777u : 0u;
    }
    std::unique_ptr<SqliteStore> open() { return SqliteStore::open(directory).value(); }
};
using Store = StateDirectory;
using Lock = StateDirectory;

TEST_F(Store, keeps_facts_in_order_across_a_reopening) {
    {
        const auto store = open();
        ASSERT_TRUE(
            store->append({"attempt-begun", "dev-1", "7", {{"image", "ab"}, {"to", "2.0.0"}}}, Durability::full));
        ASSERT_TRUE(store->append({"note", "dev-2", "", {}}, Durability::relaxed));
        ASSERT_TRUE(store->append({"execute", "dev-1", "7", {{"odd \"name'", std::string("a\0b;--\xff", 7)}}},
                                  Durability::full));
    }
    const auto store = open();
    const auto facts = store->facts("dev-1").value();
    ASSERT_EQ(facts.size(), 2u);
    EXPECT_EQ(facts[0].kind, "attempt-begun");
    EXPECT_EQ(facts[0].attempt, "7");
    EXPECT_EQ(facts[0].fields.at("to"), "2.0.0");
    EXPECT_EQ(facts[0].fields.size(), 2u);
    EXPECT_EQ(facts[1].kind, "execute");
    EXPECT_EQ(facts[1].fields.at("odd \"name'"), std::string("a\0b;--\xff", 7));
    EXPECT_LT(facts[0].sequence, facts[1].sequence);
    EXPECT_GT(facts[0].wall_ms, 1'500'000'000'000);
    EXPECT_THAT(store->subjects().value(), testing::ElementsAre("dev-1", "dev-2"));
    EXPECT_TRUE(store->facts("dev-3").value().empty());
}

TEST_F(Store, replaces_only_the_same_kind_subject_and_attempt) {
    const auto store = open();
    const auto progress = [](std::string attempt, std::string block) {
        return Fact{"block-progress", "dev-1", std::move(attempt), {{"block", std::move(block)}}};
    };
    ASSERT_TRUE(store->replace(progress("1", "10"), Durability::relaxed));
    ASSERT_TRUE(store->replace(progress("2", "20"), Durability::relaxed));
    ASSERT_TRUE(store->append({"execute", "dev-1", "2", {}}, Durability::full));
    ASSERT_TRUE(store->replace(progress("2", "30"), Durability::relaxed));
    const auto facts = store->facts("dev-1").value();
    ASSERT_EQ(facts.size(), 3u);
    EXPECT_EQ(facts[0].fields.at("block"), "10");
    EXPECT_EQ(facts[1].kind, "execute");
    EXPECT_EQ(facts[2].fields.at("block"), "30");
}

TEST_F(Store, is_for_its_owner_only) {
    const auto store = open();
    EXPECT_EQ(mode(directory), 0700u);
    EXPECT_EQ(mode(directory / "fotactl.db"), 0600u);
}

TEST_F(Store, survives_a_kill_after_a_full_commit) {
    const auto child = ::fork();
    if (child == 0) {
        const auto store = SqliteStore::open(directory);
        if (store && (*store)->append({"execute", "dev-1", "1", {}}, Durability::full)) ::kill(::getpid(), SIGKILL);
        ::_exit(1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(open()->facts("dev-1").value().size(), 1u);
}

TEST_F(Store, refuses_what_is_not_its_own) {
    std::filesystem::create_directories(directory);
    const auto file = directory / "fotactl.db";
    const auto refusal = [&] {
        const auto store = SqliteStore::open(directory);
        EXPECT_FALSE(store.has_value());
        if (store) return std::string();
        EXPECT_EQ(store.error().code(), Errc::store_failed);
        EXPECT_EQ(store.error().detail("path"), file.string());
        return store.error().message();
    };
    std::ofstream(file) << "this is no database, and long enough to be looked at as one: " << std::string(4096, 'x');
    EXPECT_THAT(refusal(), HasSubstr("not a database"));
    std::filesystem::remove(file);
    SQLite::Database(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec("CREATE TABLE other (x)");
    EXPECT_THAT(refusal(), HasSubstr("another program's database"));
    std::filesystem::remove(file);
    open();
    SQLite::Database(file.string(), SQLite::OPEN_READWRITE).exec("PRAGMA user_version=9");
    EXPECT_THAT(refusal(), HasSubstr("schema 9"));
}

TEST_F(Store, is_read_without_adding_a_file) {
    // What a URI would take for something else is part of the name.
    directory = root / "a?mode=memory#b%41 \xc3\xa9" / "state";
    ASSERT_TRUE(open()->append({"note", "dev-1", "", {{"a", "b"}}}, Durability::full));
    const auto listing = [&] {
        std::set<std::string> names;
        for (const auto& each : std::filesystem::directory_iterator(directory))
            names.insert(each.path().filename().string());
        return names;
    };
    const auto before = listing();
    {
        const auto store = SqliteStore::open_to_read(directory).value();
        ASSERT_NE(store, nullptr);
        EXPECT_EQ(store->facts("dev-1").value().size(), 1u);
        EXPECT_EQ(listing(), before);
        EXPECT_FALSE(store->append({"note", "dev-1", "", {}}, Durability::full));
    }
    EXPECT_EQ(listing(), before);
}

TEST_F(Store, is_read_beside_its_writer_with_what_that_wrote_last) {
    const auto writer = open();
    for (std::size_t i = 1; i < 4; ++i) {
        ASSERT_TRUE(writer->append({"note", "dev-1", "", {}}, Durability::relaxed));
        EXPECT_EQ(SqliteStore::open_to_read(directory).value()->facts("dev-1").value().size(), i);
    }
}

TEST_F(Store, says_that_a_directory_cannot_be_made) {
    std::ofstream(root / "a") << "a file";
    const auto store = SqliteStore::open(directory);
    ASSERT_FALSE(store.has_value());
    EXPECT_EQ(store.error().code(), Errc::store_failed);
}

TEST_F(Lock, is_held_by_one_and_names_its_pid) {
    {
        const auto held = StateLock::acquire(directory);
        ASSERT_TRUE(held.has_value()) << held.error().text();
        const auto second = StateLock::acquire(directory);
        ASSERT_FALSE(second.has_value());
        EXPECT_EQ(second.error().code(), Errc::store_locked);
        EXPECT_EQ(second.error().detail("pid"), std::to_string(::getpid()));
        EXPECT_THAT(second.error().message(), HasSubstr(std::to_string(::getpid())));
    }
    EXPECT_TRUE(StateLock::acquire(directory).has_value()) << "released with its holder";
    EXPECT_EQ(mode(directory), 0700u);
    EXPECT_EQ(mode(directory / "lock"), 0600u);
}

TEST(SystemClock, sleeps_until_its_deadline_or_its_cancellation) {
    Loop loop;
    SystemClock clock(loop.io.get_executor());
    const auto begun = clock.now();
    EXPECT_TRUE(loop.run(clock.sleep_until(begun + Milliseconds(5))));
    EXPECT_GE(clock.now(), begun + Milliseconds(5));
    EXPECT_TRUE(loop.run(clock.sleep_until(begun)));
    boost::asio::cancellation_signal cancel;
    std::optional<bool> slept;
    boost::asio::co_spawn(loop.io, clock.sleep_until(begun + std::chrono::hours(1)),
                          boost::asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr error, bool whole) {
                              EXPECT_FALSE(error);
                              slept = whole;
                              loop.io.stop();
                          }));
    boost::asio::post(loop.io, [&] { cancel.emit(boost::asio::cancellation_type::terminal); });
    loop.io.restart();
    loop.io.run_for(std::chrono::seconds(20));
    EXPECT_EQ(slept, false);
}

}  // namespace
}  // namespace fota::adapters::test
