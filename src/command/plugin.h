/*
 * plugin.h - is that plugin usable?  Asked once, before anything is started.
 */
#ifndef CMD_PLUGIN_H
#define CMD_PLUGIN_H

/* Make "FILE:FUNCTION" with an absolute path, to be freed, when a trial child can load the object
 * and find the function.  Otherwise NULL, and a message has been printed. */
char *cmd_plugin_name(const char *file, const char *function);

#endif
