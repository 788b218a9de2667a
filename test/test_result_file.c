/* test_result_file.c - results of commands: files that appear whole, or not at all */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/cli/result_file.h"
#include "test/check.h"
#include "test/scratch.h"

static check_counts counts;

static char folder[512];

static const char *in_folder(const char *name)
{
	static char paths[2][600];
	static unsigned turn;

	turn = !turn;
	(void)snprintf(paths[turn], sizeof paths[turn], "%s/%s", folder, name);
	return paths[turn];
}

static void put_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "wb");

	if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

static bool file_holds(const char *path, const char *text)
{
	char got[64] = "";
	FILE *file = fopen(path, "rb");
	size_t n = file ? fread(got, 1, sizeof got - 1, file) : 0;

	if (file)
		(void)fclose(file);
	return file && n == strlen(text) && memcmp(got, text, n) == 0;
}

static unsigned count_files(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	unsigned n = 0;

	while (dir && (entry = readdir(dir)) != NULL)
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	if (dir)
		(void)closedir(dir);
	return n;
}

static bool begin_file(result_file *file, const char *path)
{
	brise_error err = { 0 };
	bool opened = result_open(file, path, NULL, &err) == BRISE_OK;

	CHECK(&counts, opened, "%s opens: %s", path, err.message);
	if (opened)
		(void)fputs("new", file->stream);
	return opened;
}

static void check_commit_and_discard(void)
{
	const char *path = in_folder("out");
	result_file file;
	brise_error err;

	if (!begin_file(&file, path))
		return;
	(void)fflush(file.stream);
	CHECK(&counts, access(path, F_OK) != 0, "nothing is at the target before the commit");
	CHECK(&counts,
	      result_commit(&file, &err) == BRISE_OK && file_holds(path, "new") &&
	              count_files() == 1,
	      "the commit leaves the target alone in its folder");
	result_discard(&file);
	CHECK(&counts, file_holds(path, "new"), "a discard after the commit removes nothing");
	put_file(path, "old");
	if (!begin_file(&file, path))
		return;
	(void)fflush(file.stream);
	CHECK(&counts, file_holds(path, "old"), "a target that was there stays until the commit");
	result_discard(&file);
	CHECK(&counts, file_holds(path, "old") && count_files() == 1,
	      "a discard leaves the old target and nothing beside it");
	if (begin_file(&file, path))
		CHECK(&counts,
		      result_commit(&file, &err) == BRISE_OK && file_holds(path, "new") &&
		              count_files() == 1,
		      "a commit replaces the old target");
	(void)unlink(path);
}

static void check_links(void)
{
	const char *target = in_folder("target"), *link = in_folder("link");
	struct stat facts;
	result_file file;
	brise_error err;

	put_file(target, "old");
	if (symlink("target", link) != 0)
		return check_skip(&counts, "a link's target is replaced", "no symbolic links here");
	if (begin_file(&file, link))
		CHECK(&counts, result_commit(&file, &err) == BRISE_OK && file_holds(target, "new"),
		      "the file a link leads to is replaced");
	CHECK(&counts, lstat(link, &facts) == 0 && S_ISLNK(facts.st_mode), "the link stays a link");
	(void)unlink(target);
	if (begin_file(&file, link))
		CHECK(&counts, result_commit(&file, &err) == BRISE_OK && file_holds(target, "new"),
		      "a link that leads nowhere yet gets its target");
	CHECK(&counts, lstat(link, &facts) == 0 && S_ISLNK(facts.st_mode), "and stays a link too");
	(void)unlink(target);
	(void)unlink(link);
}

static void check_failing_targets(void)
{
	result_file file;
	brise_error err = { 0 };

	CHECK(&counts,
	      result_open(&file, folder, NULL, &err) == BRISE_EIO &&
	              strstr(err.message, "found a folder"),
	      "a folder is refused: %s", err.message);
	result_discard(&file);
	CHECK(&counts, result_open(&file, in_folder("missing/out"), NULL, &err) == BRISE_EIO,
	      "a missing folder is refused");
	CHECK(&counts, strstr(err.message, "missing/out: ") != NULL, "and the target is named: %s",
	      err.message);
	result_discard(&file);
	CHECK(&counts, count_files() == 0, "failures leave nothing");
	if (access("/dev/full", W_OK) != 0)
		return check_skip(&counts, "a full disk is an error", "no /dev/full here");
	if (begin_file(&file, "/dev/full"))
		CHECK(&counts,
		      result_commit(&file, &err) == BRISE_EIO &&
		              strstr(err.message, "/dev/full: cannot be written: "),
		      "a full disk is an error: %s", err.message);
	CHECK(&counts, access("/dev/full", W_OK) == 0, "a device stays where it is");
}

static void check_result_files(void)
{
	scratch_folder(folder, sizeof folder);
	check_commit_and_discard();
	check_links();
	check_failing_targets();
	CHECK(&counts, rmdir(folder) == 0, "%s is empty at the end", folder);
}

int main(int argc, char **argv)
{
	check_choose(argc, argv);
	RUN(check_result_files());
	return check_report("result_file", &counts);
}
